"""Run read-only scripts on a host that print many facts at once, as named sections.

The scripts are shell scripts in the folder `scripts`. `sections.sh` defines how they print a section.
"""

import re
from functools import cache
from pathlib import Path

from jobs.connectors.files import MAX_FILE_LENGTH, too_long_error
from jobs.connectors.shell import Shell, script, sudo
from jobs.errors import CommandFailed, JobError, Unreachable
from jobs.facts.option_files import FILE
from jobs.facts.sections import MalformedAnswer, Sections, parse_sections
from jobs.inventory.model import Host

SCRIPTS = Path(__file__).parent / "scripts"
OPTIONS, CONTAINERS, STATE, NAMED_FILES = "host_options", "host_containers", "host_state", "named_files"
SCRIPT_TIMEOUT = 150  # seconds; each slow tool has its own time limit within the script


@cache
def script_text(*names: str) -> str:
    """Return one script that prints the sections of these scripts."""
    texts = ((SCRIPTS / f"{name}.sh").read_text() for name in ("sections", *names))
    return f"{''.join(texts)}print_sections\n"


@cache
def section_names(*names: str) -> tuple[str, ...]:
    """Return the names of the sections that these scripts print on every host."""
    return tuple(re.findall(r"^(?:section|background) (\w+)", script_text(*names), re.MULTILINE))


def read_sections(shell: Shell, *names: str, arguments: tuple[str, ...] = ()) -> Sections:
    """Run the scripts in one command and return their sections. Raise JobError for a malformed answer."""
    output = shell.run(sudo(*script(script_text(*names), *arguments), timeout=SCRIPT_TIMEOUT))
    answer = output.stdout.encode() if output.raw is None else output.raw
    try:
        sections = parse_sections(answer, section_names(*names))
    except MalformedAnswer as error:
        raise malformed_error(shell.host, error) from error
    _check_units(shell, sections)
    for name, section in sections.items():
        if name.startswith(FILE):
            check_length(shell, name.removeprefix(FILE), section.file_text)
    return sections


def _check_units(shell: Shell, sections: Sections) -> None:
    """Raise CommandFailed if systemd did not answer: without the unit, no option file would be found."""
    for name in ("unit", "upgrade_unit"):
        if name in sections and sections[name].status:
            raise CommandFailed(shell.host, "systemctl show", sections[name].status, "")


def check_length(shell: Shell, path: str, text: str | None) -> None:
    """Raise JobError for a file that is too long to be an option file."""
    if text is not None and len(text) > MAX_FILE_LENGTH:
        raise too_long_error(shell.host, path)


def malformed_error(host: str, error: MalformedAnswer) -> JobError:
    """Return the error of a host whose answer is malformed, which no host with working tools sends."""
    return JobError(
        f"{host} returned its state in an unexpected form: {error}",
        host=host,
        hint=f"Check that sh, stat, cat, and paste work on {host}, and that it is your host. Then plan again.",
        check="host state",
    )


def check_sudo(shell: Shell, host: Host) -> None:
    """Raise Unreachable if the SSH user has no passwordless sudo."""
    try:
        shell.run(sudo("true"))
    except CommandFailed as error:
        hint = f"Allow passwordless sudo for {host.ssh_user} on {host.name} with a file in /etc/sudoers.d."
        raise Unreachable(
            f"{host.ssh_user} has no passwordless sudo on {host.name}",
            host=host.name,
            hint=hint,
            check="sudo",
        ) from error
