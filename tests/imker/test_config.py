"""A wrong configuration is told at once, a line for each thing."""

from pathlib import Path

import pytest

from bot import settings as bot_settings
from imker.config import ConfigError
from jobs import inventory
from jobs import settings as jobs_settings

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def lines(path: Path, text: str, **environment: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(ConfigError) as told:
        bot_settings.load({**TOKENS, "IMKER_CONFIG": str(path), **environment})
    return [line.removeprefix(f"{path}: ") for line in told.value.lines]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[slack]\nchanels = []\n", ["[slack] chanels: unknown key; did you mean channels?"]),
        ("[slak]\n", ["[slak]: unknown key; did you mean slack?"]),
        ('[rights]\nread = "all"\n', ["[rights] read: Input should be a valid tuple"]),
        ("[rights]\nacept = []\nchang = []\n", ["[rights] acept: unknown key; did you mean accept?",
                                                "[rights] chang: unknown key; did you mean change?"]),
    ],
)  # fmt: skip
def test_each_wrong_key_is_a_line_with_the_nearest_right_one(tmp_path: Path, text: str, wanted: list[str]) -> None:
    assert lines(tmp_path / "imker.toml", text) == wanted


def test_a_name_is_no_right(tmp_path: Path) -> None:
    (line,) = lines(tmp_path / "imker.toml", '[rights]\nchange = ["@alice"]\n')
    assert "'@alice' is no Slack user ID" in line


def test_tokens_missing_and_swapped_are_told_with_the_file(tmp_path: Path) -> None:
    told = lines(tmp_path / "imker.toml", "[slack]\nx = 1\n", SLACK_BOT_TOKEN="xapp-2", SLACK_APP_TOKEN=" ")
    assert len(told) == 3
    assert "swapped" in told[0]
    assert "missing" in told[1]


def test_syntax_and_absence(tmp_path: Path) -> None:
    assert "line 1" in lines(tmp_path / "imker.toml", "[slack\n")[0]
    with pytest.raises(ConfigError, match="not there"):
        bot_settings.load({**TOKENS, "IMKER_CONFIG": str(tmp_path / "none.toml")})


def test_the_jobs_side_names_every_host_that_cannot_be_used(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    key.chmod(0o644)
    path = tmp_path / "imker.toml"
    path.write_text(f'[hosts.kaditz]\naddress = "198.18.0.39"\nssh_key = "{key}"\n[hosts.tondi]\nrole = "manager"\n')
    with pytest.raises(ConfigError) as told:
        inventory.load(jobs_settings.load(path))
    assert [line.split(":")[0] for line in told.value.lines] == [
        "[hosts.kaditz] ssh_key", "[hosts.kaditz] tls", "[hosts.tondi] address", "[hosts.tondi] ssh_key",
        "[hosts.tondi] tls",
    ]  # fmt: skip
    assert "chmod 600" in told.value.lines[0]


def test_a_wrong_key_of_a_host(tmp_path: Path) -> None:
    path = tmp_path / "imker.toml"
    path.write_text('[hosts.kaditz]\nadress = "198.18.0.39"\n')
    with pytest.raises(ConfigError, match=r"\[hosts.kaditz\] adress: unknown key; did you mean address\?"):
        jobs_settings.load(path)
