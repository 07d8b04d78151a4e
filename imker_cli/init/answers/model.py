"""Define what the questions of `imker init` yield. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | bool | list[str]


class AnswerError(ValueError):
    """Raised for an answer that cannot be used. The text says why and what to answer."""


@dataclass(frozen=True)
class FoundHost:
    """A host of an inventory. `section`: the keys of its [hosts.NAME]; `groups`: its groups of an Ansible inventory."""

    name: str
    section: Mapping[str, Value] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FoundHosts:
    """The hosts that a person chose. `inventory`: keys of [inventory]; `has_store`: docker-machine has them all."""

    hosts: tuple[FoundHost, ...]
    inventory: Mapping[str, Value]
    has_store: bool = False


@dataclass(frozen=True)
class SlackAnswers:
    """What was chosen in Slack: the workspace, the channel, and the IDs of people and user groups by their names."""

    team: str
    channel: str
    channel_name: str
    change: Mapping[str, str]
    accept: Mapping[str, str]
    accept_own: bool = False


@dataclass(frozen=True)
class Channel:
    """A channel. `has_bot`: whether the bot is a member."""

    id: str
    name: str
    has_bot: bool


@dataclass(frozen=True)
class Account:
    """A person or a user group. `names`: all names that Slack shows for it, the shortest one first."""

    id: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name to show."""
        return self.names[0] if self.names else self.id
