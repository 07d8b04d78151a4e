"""Print findings and configuration errors in a terminal, alike for bot and jobs."""

from collections.abc import Callable, Iterable

from imker.config import ConfigError
from imker.protocol.values import Finding


def print_findings(findings: Iterable[Finding]) -> int:
    """Print each finding. Return the exit status: 1 if a check failed, else 0."""
    failed = False
    for finding in findings:
        print(finding.as_text)
        failed = failed or finding.level == "block"
    return int(failed)


def configuration_findings(error: ConfigError) -> tuple[Finding, ...]:
    """Return a failed check for each line of the error."""
    hint = "Fix this setting. docs/configuration.md describes each one."
    return tuple(Finding("configuration", "block", line, hint) for line in error.lines)


def check_configuration(load: Callable[[], object]) -> int:
    """Load the configuration and print what is wrong with it. Return the exit status: 2 for errors, else 0."""
    try:
        load()
    except ConfigError as error:
        print(error)
        return 2
    return 0
