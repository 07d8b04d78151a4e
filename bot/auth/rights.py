"""Define the part of `imker.toml` that says who may do what. Pure."""

import difflib
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from bot.commands.model import Right
from bot.commands.table import COMMANDS
from imker.config import AcceptanceRules

COMMAND_NAMES = tuple(dict.fromkeys([*(spec.name for spec in COMMANDS if " " not in spec.name), "read", "change"]))


def _principal(value: str) -> str:
    """Accept IDs only: users can change their names and email addresses."""
    if value == "*" or re.fullmatch(r"[UWS][A-Z0-9]{2,}", value):
        return value
    raise ValueError(
        f'{value!r} is not a Slack user ID (U…), a user group ID (S…), or "*"; copy the ID from the profile'
    )


def _channel(value: str) -> str:
    if re.fullmatch(r"[CG][A-Z0-9]{2,}", value):
        return value
    raise ValueError(f"{value!r} is not a Slack channel ID (C…); copy it from the channel's details")


def _command_or_right(value: str) -> str:
    if value in COMMAND_NAMES:
        return value
    suggestions = difflib.get_close_matches(value, COMMAND_NAMES, 1)
    raise ValueError(
        f"{value!r} is not a command of /swarm help" + (f"; did you mean {suggestions[0]!r}?" if suggestions else "")
    )


def _pattern(value: str) -> str:
    if re.fullmatch(r"[a-z0-9.*?-]+", value):
        return value
    raise ValueError(f"{value!r} is not a host name or a pattern such as 'lei-*'")


def _service_pattern(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.*?-]+", value):
        return value
    raise ValueError(f"{value!r} is not a service name or a pattern such as 'web_*'")


Principal = Annotated[str, AfterValidator(_principal)]
Channel = Annotated[str, AfterValidator(_channel)]
CommandOrRight = Annotated[str, AfterValidator(_command_or_right)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ServicePattern = Annotated[str, AfterValidator(_service_pattern)]


class Section(BaseModel):
    """A table of `imker.toml`. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Section):
    """[[rights.rule]]: allow commands to users. `verbs`: commands or rights; `channels`: empty for all of them.

    `services`: the services that the commands may change or show. A rule with `services` alone covers no host.
    """

    who: tuple[Principal, ...]
    verbs: tuple[CommandOrRight, ...]
    hosts: tuple[Pattern, ...] = ("*",)
    services: tuple[ServicePattern, ...] | None = None
    channels: tuple[Channel, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _cover_no_host_by_default(cls, values: Any) -> Any:
        is_for_services = isinstance(values, dict) and "services" in values and "hosts" not in values
        return {**values, "hosts": ()} if is_for_services else values

    def services_for(self, right: Right) -> tuple[str, ...]:
        """Return the patterns of services that the rule covers. Without `services`, it changes none of them.

        Who may read on every host may also read every service.
        """
        if self.services is not None:
            return self.services
        return ("*",) if right == "read" and "*" in self.hosts else ()


class Rights(AcceptanceRules):
    """[rights]: who may do what. A missing list is empty. The RQ workers enforce `accept_*` from their own file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    read: tuple[Principal, ...] = ()
    change: tuple[Principal, ...] = ()
    accept: tuple[Principal, ...] = ()
    rule: tuple[Rule, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the lists and rules as rules. A list gives its right on every host and service, in every channel."""
        lists = {"read": self.read, "change": self.change, "accept": self.accept}
        members_by_right = {name: members for name, members in lists.items() if members}
        everywhere = {"hosts": ("*",), "services": ("*",)}
        return (
            *(Rule(who=members, verbs=(name,), **everywhere) for name, members in members_by_right.items()),
            *self.rule,
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the user group IDs in all rules."""
        return tuple(dict.fromkeys(member for rule in self.rules for member in rule.who if member.startswith("S")))

    def holders(self, right: Right) -> set[str]:
        """Return the IDs that have this right, or one of its commands, anywhere."""
        verbs = {right, *(spec.name for spec in COMMANDS if spec.right == right)}
        return {holder for rule in self.rules if verbs & set(rule.verbs) for holder in rule.who}
