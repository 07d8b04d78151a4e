"""Define the base class of the commands that a job runs. Pure."""

from typing import ClassVar


class JobCommand:
    """A command that a job runs. Each subclass is a frozen dataclass.

    `type`: its name in messages; `queue`: its RQ queue, so that reads never wait for changes.
    """

    type: str
    queue: ClassVar[str]

    @property
    def text(self) -> str:
        """Return the command as users type it, without the slash command's name."""
        return self.type
