"""The bot's part of `imker.toml` and of the environment. Values; all that is wrong is said at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from imker import config
from imker.config import ConfigError

SLACK = "https://slack.com/api/"


def _who(value: str) -> str:
    """Names and addresses never decide: they can be changed by whoever bears them."""
    if value == "*" or re.fullmatch(r"[UWS][A-Z0-9]{2,}", value):
        return value
    raise ValueError(
        f'{value!r} is no Slack user ID (U…) nor user group ID (S…), nor "*"; copy the ID from the profile'
    )


def _channel(value: str) -> str:
    if re.fullmatch(r"[CG][A-Z0-9]{2,}", value):
        return value
    raise ValueError(f"{value!r} is no Slack channel ID (C…); copy it from the channel's details")


Who = Annotated[str, AfterValidator(_who)]
Channel = Annotated[str, AfterValidator(_channel)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SlackSection(Section):
    channels: tuple[Channel, ...] = ()


class Rights(Section):
    """Who may do what; nobody is in a list that is not written."""

    read: tuple[Who, ...] = ()
    change: tuple[Who, ...] = ()
    accept: tuple[Who, ...] = ()
    accept_own: bool = False


class File(Section):
    slack: SlackSection = SlackSection()
    rights: Rights = Rights()


@dataclass(frozen=True)
class Settings:
    bot_token: SecretStr
    app_token: SecretStr
    api_url: str
    redis_url: str | None
    channels: tuple[str, ...]
    rights: Rights


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises ConfigError with a line for each thing wrong, in the file and in the environment."""
    problems: list[str] = []
    tokens = {name: environment.get(name, "").strip() for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN")}
    problems += _token_problems(tokens)
    file = File()
    try:
        file = config.load(File, Path(environment.get("IMKER_CONFIG", "imker.toml")))
    except ConfigError as wrong:
        problems += wrong.lines
    if problems:
        raise ConfigError(problems)
    return Settings(
        bot_token=SecretStr(tokens["SLACK_BOT_TOKEN"]),
        app_token=SecretStr(tokens["SLACK_APP_TOKEN"]),
        api_url=environment.get("SLACK_API_URL") or SLACK,
        redis_url=environment.get("REDIS_URL") or None,
        channels=file.slack.channels,
        rights=file.rights,
    )


def _token_problems(tokens: Mapping[str, str]) -> list[str]:
    wanted = {"SLACK_BOT_TOKEN": ("xoxb-", "the bot token"), "SLACK_APP_TOKEN": ("xapp-", "the app-level token")}
    problems = []
    for name, (prefix, what) in wanted.items():
        if not tokens[name]:
            problems.append(f"{name}: missing; {what}, {prefix}…")
        elif not tokens[name].startswith(prefix):
            problems.append(f"{name}: does not begin with {prefix}; {what} is wanted (are the two swapped?)")
    return problems
