"""A request to a simulated Engine API, and how its result is recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.simulated.engine_errors import EngineError
from lab.simulated.history import Action
from lab.simulated.machine import Machine


@dataclass(frozen=True)
class ApiRequest:
    """A request: groups matched in its path, its query, its body, and the connection it came from."""

    machine: Machine
    path_groups: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any]
    source: str


RequestHandler = Callable[[ApiRequest], Any]
Route = tuple[str, str, RequestHandler]  # method, pattern of the path, handler


def record_error(action: Action, work: Callable[[], Any]) -> Any:
    """Do the work, and record its error in the action."""
    try:
        return work()
    except EngineError as error:
        action.error = error.message
        raise
