"""The bot's part of `imker.toml` and of the environment. Values; all that is wrong is said at once."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from bot.verbs import VERBS, Right
from imker import config, signing
from imker.config import ConfigError

SLACK = "https://slack.com/api/"
PER_MINUTE = 30


def _who(value: str) -> str:
    """Names and addresses never decide: they can be changed by whoever bears them."""
    if value == "*" or re.fullmatch(r"[UWS][A-Z0-9]{2,}", value):
        return value
    raise ValueError(
        f'{value!r} is no Slack user ID (U…) nor user group ID (S…), nor "*"; copy the ID from the profile'
    )


def _team(value: str) -> str:
    if not value or re.fullmatch(r"[TE][A-Z0-9]{2,}", value):
        return value
    raise ValueError(f"{value!r} is no Slack workspace ID (T…); it stands in the address of the workspace in a browser")


def _channel(value: str) -> str:
    if re.fullmatch(r"[CG][A-Z0-9]{2,}", value):
        return value
    raise ValueError(f"{value!r} is no Slack channel ID (C…); copy it from the channel's details")


Who = Annotated[str, AfterValidator(_who)]


def _verb(value: str) -> str:
    if value in VERB_NAMES:
        return value
    near = difflib.get_close_matches(value, VERB_NAMES, 1)
    raise ValueError(f"{value!r} is no verb of /swarm help" + (f"; did you mean {near[0]!r}?" if near else ""))


def _pattern(value: str) -> str:
    if re.fullmatch(r"[a-z0-9.*?-]+", value):
        return value
    raise ValueError(f"{value!r} is no host's name nor a pattern such as 'lei-*'")


Channel = Annotated[str, AfterValidator(_channel)]
VerbName = Annotated[str, AfterValidator(_verb)]
Pattern = Annotated[str, AfterValidator(_pattern)]
VERB_NAMES = tuple(dict.fromkeys([*(verb.name for verb in VERBS if " " not in verb.name), "read", "change"]))


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SlackSection(Section):
    """`team`: the workspace (T…) that all the IDs are of; if it is named, no other's token is taken. `per_minute`:

    commands and clicks of one person.
    """

    channels: tuple[Channel, ...] = ()
    team: Annotated[str, AfterValidator(_team)] = ""
    per_minute: int = Field(default=PER_MINUTE, ge=1)


class Rule(Section):
    """Opens verbs to people. `verbs`: those of /swarm help, or the rights that stand for several; `channels`: all, if
    none is named.
    """

    who: tuple[Who, ...]
    verbs: tuple[VerbName, ...]
    hosts: tuple[Pattern, ...] = ("*",)
    channels: tuple[Channel, ...] = ()


class Rights(Section):
    """Who may do what; nobody is in a list that is not written. Of the last two, the RQ workers' side has the say."""

    read: tuple[Who, ...] = ()
    change: tuple[Who, ...] = ()
    accept: tuple[Who, ...] = ()
    accept_own: bool = False
    accept_count: int = Field(default=1, ge=1, le=5)
    accept_within: int = Field(default=30, ge=1, le=24 * 60)  # minutes
    rule: tuple[Rule, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All of it as rules: a list opens its right on every host, in every channel."""
        lists = {"read": self.read, "change": self.change, "accept": self.accept}
        return (*(Rule(who=who, verbs=(name,)) for name, who in lists.items() if who), *self.rule)

    @property
    def groups(self) -> tuple[str, ...]:
        """The user groups that are named anywhere."""
        return tuple(dict.fromkeys(who for rule in self.rules for who in rule.who if who.startswith("S")))

    def holders(self, right: Right) -> set[str]:
        """Everybody to whom a rule opens something of this right."""
        verbs = {right, *(verb.name for verb in VERBS if verb.right == right)}
        return {who for rule in self.rules if verbs & set(rule.verbs) for who in rule.who}


class File(Section):
    slack: SlackSection = SlackSection()
    rights: Rights = Rights()


@dataclass(frozen=True)
class Settings:
    """`app_token`: for Socket Mode; `http`: host and port, with the `signing_secret` of what comes there."""

    bot_token: SecretStr
    app_token: SecretStr | None
    api_url: str
    redis_url: str | None
    channels: tuple[str, ...]
    rights: Rights
    team: str = ""
    per_minute: int = PER_MINUTE
    http: tuple[str, int] | None = None
    signing_secret: SecretStr | None = None


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises ConfigError with a line for each thing wrong, in the file and in the environment."""
    problems: list[str] = []
    names = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "IMKER_HTTP")
    given = {name: environment.get(name, "").strip() for name in names}
    problems += [*_token_problems(given), *_http_problems(given), *filter(None, [signing.trouble(environment)])]
    file = File()
    try:
        file, wrong = config.read(File, Path(environment.get("IMKER_CONFIG", "imker.toml")))
        problems += [*wrong, *_file_problems(file, wrong)]
    except ConfigError as unreadable:
        problems += unreadable.lines
    if problems:
        raise ConfigError(problems)
    return Settings(
        bot_token=SecretStr(given["SLACK_BOT_TOKEN"]),
        app_token=SecretStr(given["SLACK_APP_TOKEN"]) if given["SLACK_APP_TOKEN"] else None,
        api_url=environment.get("SLACK_API_URL") or SLACK,
        redis_url=environment.get("REDIS_URL") or None,
        channels=file.slack.channels,
        rights=file.rights,
        team=file.slack.team,
        per_minute=file.slack.per_minute,
        http=_listens(given["IMKER_HTTP"]),
        signing_secret=SecretStr(given["SLACK_SIGNING_SECRET"]) if given["SLACK_SIGNING_SECRET"] else None,
    )


def _listens(where: str) -> tuple[str, int] | None:
    host, _, port = where.rpartition(":")
    good = re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and host and 0 < int(port) < 65536
    return (host.strip("[]"), int(port)) if good else None


def _http_problems(given: Mapping[str, str]) -> list[str]:
    """HTTP is asked for by IMKER_HTTP; whoever listens must be able to tell Slack from others."""
    if not given["IMKER_HTTP"]:
        return []
    problems = []
    if _listens(given["IMKER_HTTP"]) is None:
        problems.append(f"IMKER_HTTP: {given['IMKER_HTTP']!r} is not HOST:PORT, such as 127.0.0.1:8080")
    if not given["SLACK_SIGNING_SECRET"]:
        problems.append("SLACK_SIGNING_SECRET: missing; the signing secret, in the app's Basic Information")
    return problems


def _token_problems(tokens: Mapping[str, str]) -> list[str]:
    wanted = {"SLACK_BOT_TOKEN": ("xoxb-", "the bot token"), "SLACK_APP_TOKEN": ("xapp-", "the app-level token")}
    problems = []
    for name, (prefix, what) in wanted.items():
        if name == "SLACK_APP_TOKEN" and not tokens[name] and tokens["IMKER_HTTP"]:
            continue  # HTTP alone
        if not tokens[name]:
            problems.append(f"{name}: missing; {what}, {prefix}…")
        elif not tokens[name].startswith(prefix):
            problems.append(f"{name}: does not begin with {prefix}; {what} is wanted (are the two swapped?)")
    return problems


def _file_problems(file: File, told: tuple[str, ...]) -> list[str]:
    """What is well written, and could never work; of a section that something is `told` of, nothing more."""
    sections = {"[slack]": _channel_problems(file), "[rights]": _rights_problems(file.rights)}
    return [line for name, lines in sections.items() for line in lines if not any(name in wrong for wrong in told)]


def _channel_problems(file: File) -> list[str]:
    if not file.slack.channels:
        return ["[slack] channels: none; name a channel's ID (C…): commands are taken nowhere else"]
    named = {channel for rule in file.rights.rule for channel in rule.channels}
    strangers = sorted(named - set(file.slack.channels))
    return [
        f"[[rights.rule]] channels: no commands are taken in {name}; add it to [slack] channels" for name in strangers
    ]


def _rights_problems(rights: Rights) -> list[str]:
    """Nobody who may do anything, or nobody who could ever accept what somebody may ask for."""
    askers, accepters = rights.holders("change"), rights.holders("accept")
    if not rights.rules:
        return ["[rights]: nobody is named; name who may read, change and accept"]
    if any(who == "*" or who.startswith("S") for who in accepters):
        return []
    others = [accepters if rights.accept_own else accepters - {asker} for asker in askers]
    if not askers or any(len(each) >= rights.accept_count for each in others):
        return []
    besides = "" if rights.accept_own else " besides who asked (accept_own = false)"
    have = f"{len(accepters)} may ({', '.join(sorted(accepters))})" if accepters else "nobody may"
    return [
        f"[rights] accept: {have}, and it takes {rights.accept_count}{besides}: no manager could join; name more people"
    ]
