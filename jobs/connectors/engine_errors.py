"""Translate the errors of an Engine call into those of jobs.errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from docker.errors import APIError, DockerException

from imker.text import one_line
from jobs.connectors.engine_transport import NotAnEngine
from jobs.errors import EngineRefused, NoAnswer, Unreachable
from jobs.inventory.model import Host

INVALID_ANSWER = "sent an invalid response"


@contextmanager
def translate_errors(host: Host) -> Iterator[None]:
    """Raise EngineRefused for an answer that cannot be used, Unreachable for no answer."""
    try:
        yield
    except APIError as api_error:
        explanation = one_line(str(api_error.explanation or api_error))
        raise EngineRefused(f"{host.name}'s Engine refused: {explanation}", host=host.name) from api_error
    except NotAnEngine as format_error:
        raise EngineRefused(f"{host.name} {INVALID_ANSWER}: {format_error}", host=host.name) from format_error
    except requests.exceptions.InvalidJSONError as format_error:
        raise EngineRefused(f"{host.name} {INVALID_ANSWER}: no JSON", host=host.name) from format_error
    except (requests.RequestException, DockerException, OSError) as network_error:
        raise _error_class(network_error)(
            f"{host.name}'s Engine is unreachable {host.engine_place}: {_root_cause(network_error)}",
            host=host.name,
        ) from network_error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as format_error:
        raise EngineRefused(f"{host.name} {INVALID_ANSWER}", host=host.name) from format_error


def _error_class(error: Exception) -> type[Unreachable]:
    is_silent = isinstance(error, requests.Timeout) or _root_cause(error) in ("timed out", "no route to host")
    return NoAnswer if is_silent else Unreachable


def _root_cause(error: Exception) -> str:
    """Return a short cause. requests wraps it in several layers of class names."""
    for cause in (
        "Connection refused",
        "certificate verify failed",
        "timed out",
        "No route to host",
        "Connection reset",
    ):
        if cause in str(error):
            return cause.lower()
    return one_line(str(error)) or type(error).__name__
