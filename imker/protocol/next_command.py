"""Define the commands that a message suggests. The bot adds the slash command's name and renders them. Pure."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from imker.protocol.commands import Command


@dataclass(frozen=True)
class BotCommand:
    """A command that the bot itself runs. `run`: the ID of the run it is about, "" for none."""

    name: Literal["status", "retry", "resume", "help"]
    run: str = ""
    type: Literal["bot"] = "bot"

    @property
    def text(self) -> str:
        """Return the command as users type it, without the slash command's name."""
        return f"{self.name} {self.run}".rstrip()


@dataclass(frozen=True)
class NextCommand:
    """A command that the user can type next. `purpose`: completes "To ...", "" if the command says it already."""

    command: Annotated[Command | BotCommand, Field(discriminator="type")]
    purpose: str = ""


def _drop_unknown(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Return no commands where a newer side suggests one that this side does not know: the event still counts."""
    try:
        return validate(value)
    except ValidationError:
        return ()


NextCommands = Annotated[tuple[NextCommand, ...], WrapValidator(_drop_unknown)]
