"""The image, compose.yaml, and stack.yaml start what the Procfile starts, in a sandbox, with the secrets that exist."""

import os
import re
import subprocess
import tomllib
from hashlib import sha256
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import yaml

from imker.secret_files import SECRETS, SHARED_SECRETS
from imker_cli.parser import build_parser
from imker_cli.sources import VARIABLES
from imker_cli.supervisor import PROCESSES
from tests.unit.test_deploy import SIDES, unit

DEPLOY, HOSTS = Path("deploy"), "./hosts:/var/lib/imker"
FILES: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((DEPLOY / f"{name}.yaml").read_text()) for name in ("compose", "stack")
}
CONTAINERS = [(file, name) for file, body in FILES.items() for name in body["services"] if name != "valkey"]
SLACK_TOKENS = {"bot": {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"}, "reconciler": {"SLACK_BOT_TOKEN"}}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
LAST_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
USERS = ("bot", "reconciler", "jobs", "admin")


def service(file: str, name: str) -> dict[str, Any]:
    return dict(FILES[file]["services"][name])


def seconds(text: str) -> int:
    """Return the seconds of `30s` or `40m`, as Docker and systemd write them."""
    number, kind = re.fullmatch(r"(\d+)(s|m|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * (1 if kind == "s" else 60)


def test_the_files_have_every_process() -> None:
    assert set(FILES["compose"]["services"]) == {*PROCESSES, "valkey"}
    assert set(FILES["stack"]["services"]) == {name for name, side in SIDES.items() if side == "bot"}


@pytest.mark.parametrize(("file", "name"), CONTAINERS)
def test_starts_the_process_and_checks_its_health(file: str, name: str) -> None:
    parser, here = build_parser(), service(file, name)
    started = parser.parse_args(here["command"])
    assert (getattr(started, "queue", started.command)) == name
    assert here["healthcheck"]["test"][:2] == ["CMD", "imker"]
    assert parser.parse_args(here["healthcheck"]["test"][2:]).parts == ["redis", name]
    assert seconds(here["stop_grace_period"]) == seconds(unit(name)["Service"]["TimeoutStopSec"])


@pytest.mark.parametrize(("file", "name"), [*CONTAINERS, ("compose", "valkey")])
def test_is_a_sandbox(file: str, name: str) -> None:
    here = service(file, name)
    assert (here["read_only"], here["cap_drop"]) == (True, ["ALL"])
    assert file == "stack" or here["security_opt"] == ["no-new-privileges:true"]
    assert not {"ports", "privileged", "cap_add", "pid", "network_mode", "devices", "env_file"} & set(here)
    assert here.get("volumes", []) == {"changes": [HOSTS], "reads": [HOSTS], "valkey": ["valkey:/data"]}.get(name, [])


@pytest.mark.parametrize(("file", "name"), CONTAINERS)
def test_has_its_own_secrets_and_no_others(file: str, name: str) -> None:
    here = service(file, name)
    targets = {secret["target"]: secret["source"] for secret in here["secrets"]}
    assert set(targets) == {*SHARED_SECRETS, *SLACK_TOKENS.get(name, ())}
    assert set(targets) <= set(SECRETS)
    assert targets["REDIS_URL"].endswith(f"redis_url_{'jobs' if SIDES[name] == 'jobs' else name}")
    assert set(here["environment"]) <= set(VARIABLES), "no secret is in the environment"


@pytest.mark.parametrize("file", FILES)
def test_each_secret_is_used(file: str) -> None:
    body = FILES[file]
    services = body["services"].values()
    used = {each["source"] if isinstance(each, dict) else each for here in services for each in here["secrets"]}
    assert used == set(body["secrets"])
    assert {each["source"] for here in services for each in here.get("configs", ())} == set(body["configs"])
    if file == "stack":
        assert all(each == {"external": True} for each in [*body["secrets"].values(), *body["configs"].values()])


def test_the_stack_never_has_two_versions_of_a_process() -> None:
    for here in FILES["stack"]["services"].values():
        assert here["deploy"]["replicas"] == 1
        assert {here["deploy"][key]["order"] for key in ("update_config", "rollback_config")} == {"stop-first"}
        assert {"memory", "pids"} <= set(here["deploy"]["resources"]["limits"])


def test_valkey_is_as_durable_as_redis_md_demands_and_reachable_from_imker_only() -> None:
    here, networks = service("compose", "valkey"), FILES["compose"]["networks"]
    persistence = re.search(r"Set `(.+?)`, `(.+?)`, and `(.+?)`", Path("docs/redis.md").read_text())
    assert persistence
    assert {f"--{option}" for option in persistence.groups()} < set(here["command"])
    assert (here["networks"], networks["redis"]) == (["redis"], {"internal": True})


def test_the_image_runs_as_an_ordinary_user_and_installs_verified_files_only() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", LAST_STAGE, re.MULTILINE)
    assert int(user) > 1000
    assert f"chown -R {user}:{user} hosts" in (DEPLOY / "create-secrets.sh").read_text()
    assert {each["uid"] for here in FILES["stack"]["services"].values() for each in here["secrets"]} == {user}
    assert 'CMD ["imker", "health"]' in LAST_STAGE
    assert 'ENTRYPOINT ["imker"]' in LAST_STAGE
    assert set(re.findall(r"\b(IMKER_\w+|SLACK_\w+)=", LAST_STAGE)) <= set(VARIABLES)
    assert re.findall(r"^(?:RUN|COPY) .*", LAST_STAGE, re.MULTILINE) == ["COPY --from=build /opt/imker /opt/imker"]
    assert service("compose", "changes")["volumes"][0].split(":")[1] in LAST_STAGE, "where ~ of imker.toml points"


def test_compose_builds_the_image_once_with_every_argument() -> None:
    (build,) = [here["build"] for here in FILES["compose"]["services"].values() if "build" in here]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert build["args"] == re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE)


def test_the_image_is_built_from_the_product_only() -> None:
    first, *lines = [line for line in Path(".dockerignore").read_text().splitlines() if line[0] != "#"]
    project = tomllib.loads(Path("pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    files = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    assert first == "*"
    assert {line[1:] for line in lines if line[0] == "!"} == {*packages, "imker_cli", *files, "wheels"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of what create-secrets.sh needs."""
    for path in ("deploy/create-secrets.sh", "docs/redis-users.acl"):
        (tmp_path / path).parent.mkdir()
        copy(path, tmp_path / path)
    return tmp_path


def create_secrets(folder: Path, stdin: str = "", **tokens: str) -> "subprocess.CompletedProcess[str]":
    argv = [str(folder / "deploy/create-secrets.sh")]
    environment = {"PATH": os.environ["PATH"], **tokens}
    return subprocess.run(argv, env=environment, input=stdin, capture_output=True, text=True)


def read_secrets(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "deploy/secrets").iterdir()}


@pytest.mark.processes
def test_creates_each_secret_once(folder: Path) -> None:
    assert create_secrets(folder, **TOKENS).returncode == 0
    secrets = read_secrets(folder)
    assert {f"secrets/{name}" for name in secrets} - {"secrets/redis_url_admin"} == {
        secret["file"] for secret in FILES["compose"]["secrets"].values()
    }
    assert (folder / "deploy/secrets").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in (folder / "deploy/secrets").iterdir())
    assert (secrets["slack_bot_token"], secrets["slack_app_token"]) == tuple(TOKENS.values())
    assert len({secrets["signing_key"], secrets["audit_key"]}) == 2
    assert create_secrets(folder).returncode == 0
    assert read_secrets(folder) == secrets


@pytest.mark.processes
def test_the_users_have_the_passwords_of_their_urls(folder: Path) -> None:
    create_secrets(folder, **TOKENS)
    secrets = read_secrets(folder)
    expected = Path("docs/redis-users.acl").read_text()
    for user in USERS:
        password = re.fullmatch(rf"redis://imker-{user}:([0-9a-f]{{64}})@valkey:6379/0", secrets[f"redis_url_{user}"])
        assert password
        expected = expected.replace(f">change-me-{user} ", f"#{sha256(password[1].encode()).hexdigest()} ")
    assert secrets["users.acl"] == expected
    assert "change-me" not in expected


@pytest.mark.processes
def test_saves_no_text_that_is_no_token(folder: Path) -> None:
    completed = create_secrets(folder, "xoxb-1\nsecret\n")
    assert (completed.returncode, set(read_secrets(folder))) == (1, {"slack_bot_token"})
    assert "slack_app_token: this is no token that starts with xapp-" in completed.stderr
    assert "secret" not in completed.stderr
