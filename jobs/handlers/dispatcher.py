"""Dispatch a command to the handler that is registered for its type."""

from functools import singledispatch

from imker.protocol.job_command import JobCommand
from jobs.context import JobContext


@singledispatch
def dispatch(command: JobCommand, context: JobContext) -> None:
    """Call the command's handler, which emits events and one outcome. Raises JobError if the command fails."""
    raise NotImplementedError(f"no handler is registered for {type(command).__name__}")
