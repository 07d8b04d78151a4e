"""Run the command lines of the product in this process and format what they print."""

import contextlib
import io
import logging
import os
import runpy
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping

import pytest
import structlog

from tests.golden.text_layout import section

COLUMNS = "120"


def run(line: str, environment: Mapping[str, str], *hidden: tuple[str, str], note: str = "") -> str:
    """Run `python -m LINE` with only this environment. `hidden`: (variable text, placeholder) pairs."""
    out, err = io.StringIO(), io.StringIO()
    with _restored_process(environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        module, *arguments = line.split()
        status = _status(module, arguments)
    printed = [f"  {text}" for text in out.getvalue().splitlines()]
    printed += [f"! {text}" for text in err.getvalue().splitlines() if " slack_" not in text]  # not what the SDK logs
    title = f"$ python -m {line}".rstrip() + (f"  ({note})" if note else "")
    stable = [_mask(text, hidden) for text in (title, *printed)]
    return section(*stable, f"exit status {status}")


def _mask(text: str, hidden: Iterable[tuple[str, str]]) -> str:
    for real, stand_in in hidden:
        text = text.replace(real, stand_in)
    return text.rstrip()


def _status(module: str, arguments: list[str]) -> int:
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as over:
        return over.code if isinstance(over.code, int) else int(bool(over.code))
    return 0


@contextlib.contextmanager
def _restored_process(environment: Mapping[str, str]) -> Iterator[None]:
    """Undo what a command line changes in its process: environment, log, and signal handlers."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root, configured = logging.getLogger(), structlog.get_config()
    saved_handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # runpy runs again what is imported already
        patch.setattr(sys, "argv", sys.argv)
        for name in [name for name in os.environ if name.startswith(("SLACK_", "IMKER_", "REDIS_"))]:
            patch.delenv(name)
        for name, value in {"COLUMNS": COLUMNS, "NO_COLOR": "1", **environment}.items():
            patch.setenv(name, value)
        yield
    structlog.configure(**configured)
    root.handlers[:], root.level = saved_handlers, level
    for number, handler in handlers.items():
        signal.signal(number, handler)
