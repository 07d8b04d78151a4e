"""Load the bot's part of `imker.toml` and of the environment, and report all problems at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from bot.auth.rights import Channel, Rights, Section
from bot.reconciler.metrics.address import address_problems, host_port
from imker import config, log, signing
from imker.config import ConfigError
from imker.secret_files import SECRETS, read_secrets

SLACK_API_URL = "https://slack.com/api/"
DEFAULT_PER_MINUTE = 30  # commands and clicks of one user
# Where alerts are posted: in the run's thread and the channel, in the thread only, as direct messages, or nowhere.
Notify = Literal["channel", "thread", "dm", "off"]


def _team(value: str) -> str:
    if not value or re.fullmatch(r"[TE][A-Z0-9]{2,}", value):
        return value
    raise ValueError(f"{value!r} is not a Slack workspace ID (T…); copy it from the workspace's address in a browser")


Reads = Literal["channel", "private"]


class SlackSection(Section):
    """[slack]. `team`: the workspace ID, checked against the bot token; `per_minute`: per user.

    `reads`: who sees what commands show: the channel, or the requester.
    """

    channels: tuple[Channel, ...] = ()
    team: Annotated[str, AfterValidator(_team)] = ""
    per_minute: int = Field(default=DEFAULT_PER_MINUTE, ge=1)
    notify: Notify = "channel"
    reads: Reads = "channel"


class WatchSection(Section):
    """[watch]. `every`: seconds between two looks at the swarm; `channel`: where it posts, "" for the first channel."""

    every: int = Field(default=60, ge=10, le=3600)
    channel: Channel | Literal[""] = ""


DEFAULT_WATCH = WatchSection()


class File(Section):
    """The bot's part of `imker.toml`."""

    slack: SlackSection = SlackSection()
    rights: Rights = Rights()
    watch: WatchSection = WatchSection()


@dataclass(frozen=True)
class Settings:
    """The bot's settings. `app_token`: for Socket Mode; `http`: host and port, which need the `signing_secret`."""

    bot_token: SecretStr
    app_token: SecretStr | None
    api_url: str
    redis_url: str | None
    channels: tuple[str, ...]
    rights: Rights
    team: str = ""
    per_minute: int = DEFAULT_PER_MINUTE
    notify: Notify = "channel"
    reads: Reads = "channel"
    watch: WatchSection = DEFAULT_WATCH
    http: tuple[str, int] | None = None
    signing_secret: SecretStr | None = None

    @property
    def watch_channel(self) -> str:
        """Return the channel that the watch posts in, "" if there is none."""
        return self.watch.channel or next(iter(self.channels), "")


def load(environment: Mapping[str, str] = os.environ, is_receiving: bool = True) -> Settings:
    """Read the file and the environment. Raise ConfigError with one line for each problem.

    `is_receiving`: commands arrive here, so this takes an app-level token, or a signing secret for HTTP.
    """
    problems: list[str] = []
    values, unreadable = read_secrets(SECRETS, environment)
    values["IMKER_HTTP"] = environment.get("IMKER_HTTP", "").strip()
    missing = [*_token_problems(values, is_receiving), *(_http_problems(values) if is_receiving else ())]
    problems += [
        line for line in missing if line.partition(":")[0] not in {each.partition(":")[0] for each in unreadable}
    ]
    problems += [*unreadable, *filter(None, [signing.key_problem(environment)])]
    problems += [*address_problems(environment), *log.level_problems(environment)]
    file = File()
    try:
        file, file_problems = config.read_partial(File, Path(environment.get("IMKER_CONFIG", "imker.toml")))
        problems += [*file_problems, *_file_problems(file, file_problems)]
    except ConfigError as error:
        problems += error.lines
    if problems:
        raise ConfigError(problems)
    return Settings(
        bot_token=SecretStr(values["SLACK_BOT_TOKEN"]),
        app_token=SecretStr(values["SLACK_APP_TOKEN"]) if values["SLACK_APP_TOKEN"] else None,
        api_url=environment.get("SLACK_API_URL") or SLACK_API_URL,
        redis_url=values["REDIS_URL"] or None,
        channels=file.slack.channels,
        rights=file.rights,
        team=file.slack.team,
        per_minute=file.slack.per_minute,
        notify=file.slack.notify,
        reads=file.slack.reads,
        watch=file.watch,
        http=host_port(values["IMKER_HTTP"]),
        signing_secret=SecretStr(values["SLACK_SIGNING_SECRET"]) if values["SLACK_SIGNING_SECRET"] else None,
    )


def _http_problems(environment: Mapping[str, str]) -> list[str]:
    """Return the problems of HTTP, which IMKER_HTTP turns on. Without the secret, anyone could send commands."""
    if not environment["IMKER_HTTP"]:
        return []
    problems = []
    if host_port(environment["IMKER_HTTP"]) is None:
        problems.append(f"IMKER_HTTP: {environment['IMKER_HTTP']!r} is not HOST:PORT, for example 127.0.0.1:8080")
    if not environment["SLACK_SIGNING_SECRET"]:
        problems.append("SLACK_SIGNING_SECRET: missing; copy the signing secret from the app's Basic Information")
    return problems


def _token_problems(tokens: Mapping[str, str], is_receiving: bool) -> list[str]:
    expected = {"SLACK_BOT_TOKEN": ("xoxb-", "the bot token"), "SLACK_APP_TOKEN": ("xapp-", "the app-level token")}
    problems = []
    for name, (prefix, description) in expected.items():
        if name == "SLACK_APP_TOKEN" and not tokens[name] and (tokens["IMKER_HTTP"] or not is_receiving):
            continue  # HTTP only, or a process that only posts
        if not tokens[name]:
            problems.append(f"{name}: missing; set it to {description} ({prefix}…)")
        elif not tokens[name].startswith(prefix):
            problems.append(f"{name}: must be {description} ({prefix}…); are the two swapped?")
    return problems


def _file_problems(file: File, problems: tuple[str, ...]) -> list[str]:
    """Return settings that are valid but cannot work. `problems`: those already found; their sections are skipped."""
    sections = {"[slack]": _channel_problems(file), "[rights]": _rights_problems(file.rights)}
    return [
        line for name, lines in sections.items() for line in lines if not any(name in problem for problem in problems)
    ]


def _channel_problems(file: File) -> list[str]:
    if not file.slack.channels:
        return ["[slack] channels: empty; list the channels (C…) in which Imker accepts commands"]
    listed = set(file.slack.channels)
    of_rules = {channel for rule in file.rights.rule for channel in rule.channels}
    named = {"[[rights.rule]] channels": of_rules, "[watch] channel": {file.watch.channel} - {""}}
    return [
        f"{key}: Imker accepts no commands in {name}; add it to [slack] channels"
        for key, channels in named.items()
        for name in sorted(channels - listed)
    ]


def _rights_problems(rights: Rights) -> list[str]:
    """Return a problem if no user has a right, or if no requester's manager could ever be accepted."""
    requesters, accepters = rights.holders("change"), rights.holders("accept")
    if not rights.rules:
        return ["[rights]: no users listed. List who may read, change, and accept"]
    if any(accepter == "*" or accepter.startswith("S") for accepter in accepters):
        return []
    others = [accepters if rights.accept_own else accepters - {requester} for requester in requesters]
    if not requesters or any(len(each) >= rights.accept_count for each in others):
        return []
    excluded = "" if rights.accept_own else " by a user other than the requester (accept_own = false)"
    users = f"only {', '.join(sorted(accepters))} may accept" if accepters else "no user may accept"
    approvals = "1 approval" if rights.accept_count == 1 else f"{rights.accept_count} approvals"
    need = f"each manager needs {approvals}{excluded}"
    return [f"[rights] accept: {users}, and {need}. No manager could join; list more users"]
