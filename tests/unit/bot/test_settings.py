"""The bot's configuration: all problems are reported at once, one line each."""

from pathlib import Path

import pytest
from redis import Redis

from bot import app, settings
from imker.config import ConfigError
from lab.slack.server_process import run_fake_slack

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-lab", "SLACK_APP_TOKEN": "xapp-lab"}
KEY = "k" * 64
RULE = """
[slack]
channels = ["C01OPS"]
[rights]
accept = ["U02BOB"]
[[rights.rule]]
who = ["U01ALICE"]
verbs = ["plan", "migrate"]
"""
OLD = """
[slack]
channels = ["C01OPS"]
[rights]
read = ["*"]
change = ["U01ALICE", "S01OPS"]
accept = ["U02BOB"]
accept_own = false
"""


def loaded(tmp_path: Path, text: str, **environment: str) -> settings.Settings:
    (tmp_path / "imker.toml").write_text(text)
    return settings.load({**TOKENS, "IMKER_CONFIG": str(tmp_path / "imker.toml"), **environment})


def test_accepts_a_configuration_without_rules(tmp_path: Path) -> None:
    rights = loaded(tmp_path, OLD).rights
    assert [(rule.who, rule.verbs, rule.hosts, rule.channels) for rule in rights.rules] == [
        (("*",), ("read",), ("*",), ()),
        (("U01ALICE", "S01OPS"), ("change",), ("*",), ()),
        (("U02BOB",), ("accept",), ("*",), ()),
    ]
    assert (rights.accept_own, rights.accept_count, rights.accept_within) == (False, 1, 30)
    assert rights.groups == ("S01OPS",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULE + 'hosts = ["lei-*", "dd-1"]', ""),
        (RULE.replace("migrate", "migrat"), "'migrat' is not a command of /swarm help; did you mean 'migrate'?"),
        (RULE.replace("migrate", "audit-all"), "is not a command of /swarm help"),
        (RULE.replace("U01ALICE", "alice"), "'alice' is not a Slack user ID (U…), a user group ID"),
        (RULE.replace("U01ALICE", "alice@example.org"), "is not a Slack user ID"),
        (RULE + 'hosts = ["lei 1"]', "'lei 1' is not a host name or a pattern"),
        (RULE + 'hosts = ["LEI-*"]', "'LEI-*' is not a host name or a pattern"),
        (RULE + 'hosts = ["[a-z]*"]', "is not a host name or a pattern"),
        (RULE + 'channels = ["ops"]', "'ops' is not a Slack channel ID"),
        (RULE + 'channels = ["C02DEV"]', "Imker accepts no commands in C02DEV; add it to [slack] channels"),
        (RULE + "host = []", "unknown key; did you mean hosts?"),
        (OLD + "accept_count = 0", "accept_count"),
        (OLD + "accept_within = 0", "accept_within"),
        (OLD.replace("[rights]", 'team = "imker"\n[rights]'), "'imker' is not a Slack workspace ID (T…)"),
    ],
)
def test_reports_invalid_rules(tmp_path: Path, text: str, says: str) -> None:
    if not says:
        loaded(tmp_path, text)
        return
    with pytest.raises(ConfigError) as wrong:
        loaded(tmp_path, text)
    (line,) = wrong.value.lines
    assert says in line


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"REDIS_URL": "redis://elsewhere"}, "IMKER_SIGNING_KEY: missing"),
        ({"IMKER_SIGNING_KEY": "hunter2"}, "IMKER_SIGNING_KEY: too short"),
        ({"REDIS_URL": "redis://elsewhere", "IMKER_SIGNING_KEY": KEY}, ""),
    ],
)
def test_reports_a_missing_signing_key_with_the_other_problems(
    tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    if not says:
        loaded(tmp_path, OLD, **environment)
        return
    with pytest.raises(ConfigError) as wrong:
        loaded(tmp_path, OLD.replace("U02BOB", "bob"), **environment)
    assert len(wrong.value.lines) == 2
    assert any(says in line for line in wrong.value.lines)


def test_rejects_the_token_of_another_workspace(tmp_path: Path, redis: Redis) -> None:
    with run_fake_slack() as workspace:
        problems = loaded(
            tmp_path, OLD.replace("[rights]", 'team = "T02OTHER"\n[rights]'), SLACK_API_URL=f"{workspace.url}/api/"
        )
        with pytest.raises(ConfigError, match="SLACK_BOT_TOKEN belongs to workspace T01IMKER, not to T02OTHER"):
            app.build(problems, redis)
