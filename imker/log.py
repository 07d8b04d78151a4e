"""Configure logging: structlog to stderr, as JSON unless stderr is a terminal. Secrets are masked."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from imker.redaction import redact, redact_value
from imker.text import strip_control

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def level_problems(environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with IMKER_LOG."""
    level = environment.get("IMKER_LOG", "").strip()
    return [f"IMKER_LOG: {level!r} is not one of {', '.join(LEVELS)}"] if level and level not in LEVELS else []


def configure_logging(environment: Mapping[str, str] = os.environ) -> None:
    """Configure logging for the process, including the libraries' own logging. IMKER_LOG is the lowest level shown."""
    # Tracebacks must not show local variables: they can hold secrets.
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        [*shared, renderer],
        structlog.make_filtering_bound_logger(LEVELS.get(environment.get("IMKER_LOG", "").strip(), logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Format a record. Indent continuation lines, so that one message cannot pass for several."""
        return strip_control(redact(super().format(record))).replace("\n", "\n    ")


def _redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: _plain(redact_value(value)) for key, value in event.items()}


def _plain(value: Any) -> Any:
    """Remove control characters: the terminal renderer does not escape them."""
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return strip_control(value) if isinstance(value, str) else value
