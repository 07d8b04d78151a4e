"""Authorize the users of the bot against the configured rights."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.auth import policy
from bot.auth.permissions import Permission, permission_on_run
from bot.auth.policy import Actor, Allowed, Denied
from bot.auth.rights import Rights
from bot.handlers.delivery import Delivery
from bot.messages.block_kit import Reply
from bot.records import Choice, RunRecord
from bot.slack.users import UserDirectory
from imker.protocol.events import DecisionRequested


@dataclass(frozen=True)
class Invocation:
    """A delivery being handled: who sent it, what it says, and where to reply.

    `text`: the normalized command, "" for a question's button. `run_key`: names the run that a button starts, so that
    the button starts one run only, "" for a typed command. `is_private`: the answer goes to the requester only.
    """

    actor: Actor
    delivery: Delivery
    reply: Reply
    text: str = ""
    run_key: str = ""
    is_private: bool = False

    @property
    def channel(self) -> str:
        return self.delivery.channel


@dataclass(frozen=True)
class Access:
    """The configured rights and the people they are granted to. `team`: ID of this workspace."""

    rights: Rights
    channels: tuple[str, ...]
    users: UserDirectory
    team: str

    def fetch_actor(self, user: str, *, fresh: bool) -> Actor:
        """Return the user's kind and groups. `fresh`: ask Slack again instead of using the cache."""
        return self.users.fetch_actor(user, self.team, fresh=fresh)

    def joined_channels(self, user: str) -> tuple[str, ...]:
        """Return the configured channels that this person is a member of."""
        return self.users.joined_channels(user, self.channels)

    def can_answer(self, channel: str, user: str) -> bool:
        """Return whether the user has a member's account and is in the channel, as far as Slack says."""
        return self.users.can_answer(channel, user, self.team)

    def authorize(self, actor: Actor, permission: Permission, channel: str) -> Allowed | Denied:
        """Return whether this person has the permission in this channel."""
        return policy.authorize(self.rights, self.channels, actor, permission, channel)

    def authorize_membership(self, actor: Actor, channel: str) -> Allowed | Denied:
        """Return whether this person may use the bot in this channel at all."""
        return self.authorize(actor, Permission("help"), channel)

    def authorize_decision(
        self, actor: Actor, record: RunRecord, question: DecisionRequested, choice: Choice
    ) -> Allowed | Denied:
        """Return whether this person may answer the run's question with this choice."""
        return policy.authorize_decision(self.rights, self.channels, actor, record, question, choice)

    def authorize_for_run(self, actor: Actor, command: str, record: RunRecord) -> Allowed | Denied:
        """Return whether this person may use the command on the run, in the run's channel."""
        return self.authorize(actor, permission_on_run(command, record), record.channel)

    def may_see(self, actor: Actor, record: RunRecord, channel: str) -> bool:
        """Return whether this person may see the run in this channel: it is their own, or they may read of its host."""
        if record.channel != channel:
            return False
        return record.requester == actor.user or isinstance(self.authorize_for_run(actor, "status", record), Allowed)

    def allowed_commands(self, actor: Actor, channel: str) -> Mapping[str, tuple[str, ...]]:
        """Return the commands this person may use in this channel, each with the patterns of the hosts it covers."""
        return policy.allowed_commands(self.rights, self.channels, actor, channel)

    def outsider_kind(self, user: str) -> str:
        """Return the kind of user who has no right at all, such as "guest"; "" for users with a right."""
        return policy.outsider_kind(self.rights, self.fetch_actor(user, fresh=False))
