"""Read secrets from variables, files, systemd credentials, and Docker secrets."""

from pathlib import Path

import pytest

from imker import audit_log, secret_files, signing
from imker.config import ConfigError
from imker.secret_files import SECRETS, find_secret, read_secret, read_secrets

NAME, TEXT = "SLACK_BOT_TOKEN", "xoxb-canary"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of Docker secrets."""
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    monkeypatch.setattr(secret_files, "DOCKER_SECRETS", folder)
    return folder


def write(path: Path, text: str = f" {TEXT}\n", mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_reads_each_source_and_names_it(docker: Path, tmp_path: Path) -> None:
    file, credential = write(tmp_path / "token"), write(tmp_path / "credentials" / NAME, mode=0o444)
    sources: dict[str, dict[str, str]] = {
        NAME: {NAME: TEXT},
        f"{NAME}_FILE": {f"{NAME}_FILE": str(file)},
        str(credential): {"CREDENTIALS_DIRECTORY": str(credential.parent)},
    }
    for source, environment in sources.items():
        secret = find_secret(NAME, environment)
        assert (secret.value, secret.source) == (TEXT, source)
    write(docker / NAME, mode=0o444)  # Docker's default: every user in the container
    assert find_secret(NAME, {}) == secret_files.Secret(TEXT, str(docker / NAME))
    assert read_secret("SLACK_APP_TOKEN", {}) == ""


def test_a_file_in_the_folder_of_docker_secrets_may_be_readable(docker: Path) -> None:
    file = write(docker / "bot-token", mode=0o444)
    assert read_secret(NAME, {f"{NAME}_FILE": str(file)}) == TEXT


def test_the_same_file_by_two_ways_is_one_source(docker: Path) -> None:
    file = write(docker / NAME, mode=0o444)
    assert read_secret(NAME, {f"{NAME}_FILE": str(file)}) == TEXT


@pytest.mark.parametrize(
    ("mode", "text", "problem"),
    [
        (0o604, TEXT, "can be read by every user of this machine; run chmod o= "),
        (0o602, TEXT, "can be read by every user"),
        (0o600, " \n", "is empty"),
        (0o600, "x" * 70_000, "is too long"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_problem(
    docker: Path, tmp_path: Path, mode: int, text: str, problem: str
) -> None:
    file = write(tmp_path / "token", text, mode)
    values, (line,) = read_secrets(SECRETS, {f"{NAME}_FILE": str(file)})
    assert values[NAME] == ""
    assert line.startswith(f"{NAME}: {file} {problem}")
    assert "canary" not in line


def test_a_group_may_read_the_file(docker: Path, tmp_path: Path) -> None:
    assert read_secret(NAME, {f"{NAME}_FILE": str(write(tmp_path / "token", mode=0o640))}) == TEXT


def test_a_missing_file_is_a_problem(docker: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        read_secret(NAME, {f"{NAME}_FILE": str(tmp_path / "none")})


def test_a_file_that_is_no_text_is_a_problem(docker: Path, tmp_path: Path) -> None:
    write(tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not a text in UTF-8"):
        read_secret(NAME, {f"{NAME}_FILE": str(tmp_path / "token")})


@pytest.mark.parametrize("second", ["variable", "credential", "docker"])
def test_two_sources_are_a_problem(docker: Path, tmp_path: Path, second: str) -> None:
    environment = {f"{NAME}_FILE": str(write(tmp_path / "token"))}
    if second == "variable":
        environment[NAME] = TEXT
    elif second == "credential":
        environment["CREDENTIALS_DIRECTORY"] = str(write(tmp_path / "credentials" / NAME).parent)
    else:
        write(docker / NAME)
    _, (line,) = read_secrets([NAME], environment)
    assert line.startswith(f"{NAME}: set twice, by ")
    assert f"{NAME}_FILE" in line
    assert "canary" not in line


def test_keys_are_read_from_files(docker: Path, tmp_path: Path) -> None:
    environment = {
        "IMKER_SIGNING_KEY_FILE": str(write(tmp_path / "signing", "k" * 64)),
        "IMKER_AUDIT_KEY_FILE": str(write(tmp_path / "audit", "secret\n")),
        "REDIS_URL_FILE": str(write(tmp_path / "redis", "redis://elsewhere")),
    }
    assert signing.load_signing_key(environment).sign("x") == signing.SigningKey("k" * 64).sign("x")
    assert audit_log.read_audit_key(environment) == b"secret"
    assert "IMKER_SIGNING_KEY: missing" in signing.key_problem({"REDIS_URL_FILE": environment["REDIS_URL_FILE"]})
