"""Check the configuration, run both doctors, and list the settings in use."""

import sys
from collections.abc import Callable
from functools import partial

from imker.config import ConfigError
from imker_cli import environment_file
from imker_cli.sources import describe_settings


def check(only: str | None, quiet: bool) -> int:
    """Print each problem once, to stdout. Return 1 if there is one. `only`: "bot", "jobs", or None for both."""
    problems = list(dict.fromkeys(line for load in (environment_file.load, *_loaders(only)) for line in _lines(load)))
    for line in problems:
        print(line)
    if not problems and not quiet:
        print("The configuration is valid.")
    return int(bool(problems))


def run_doctors(only: str | None, *, is_started: bool = True) -> int:
    """Print the findings of the doctors. Return the highest exit status. `is_started`: Imker has to be running."""
    return max([doctor() for doctor in _doctors(only, is_started)])


def show() -> int:
    """Print the settings in use to stdout and the problems to stderr. Return 1 if there are problems."""
    names: frozenset[str] = frozenset()
    problems: list[str] = []
    try:
        names = environment_file.load()
    except ConfigError as error:
        problems += error.lines
    lines, setting_problems = describe_settings(names)
    for line in lines:
        print(line)
    for problem in dict.fromkeys([*problems, *setting_problems]):
        print(problem, file=sys.stderr)
    return int(bool(problems or setting_problems))


def _loaders(only: str | None) -> list[Callable[[], object]]:
    from bot import settings
    from jobs.inventory import hosts

    loaders: dict[str, Callable[[], object]] = {"bot": settings.load, "jobs": hosts.load_checked}
    return [load for side, load in loaders.items() if only in (None, side)]


def _lines(load: Callable[[], object]) -> tuple[str, ...]:
    try:
        load()
    except ConfigError as error:
        return error.lines
    return ()


def _doctors(only: str | None, is_started: bool) -> list[Callable[[], int]]:
    doctors: list[Callable[[], int]] = []
    if only in (None, "bot"):
        from bot import doctor as bot_doctor

        doctors.append(partial(bot_doctor.main, is_started=is_started))
    if only in (None, "jobs"):
        from jobs.handlers import doctor as jobs_doctor

        doctors.append(jobs_doctor.run_doctor)
    return doctors
