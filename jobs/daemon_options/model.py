"""What the daemon's options are read from and rewritten to: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imker.protocol.values import Finding


@dataclass(frozen=True)
class UnitFacts:
    """docker.service, as `systemctl show` tells. `environment_files` keep their leading "-"."""

    fragment_path: str
    drop_in_paths: tuple[str, ...]
    environment_files: tuple[str, ...]


@dataclass(frozen=True)
class OptionFiles:
    """`files`: path -> text; `command_line`: argv of the running daemon; `saved`: path -> Imker's newest copy.

    `hostname`: the host's own, which a unit may name."""

    unit: UnitFacts
    files: Mapping[str, str]
    command_line: tuple[str, ...] = ()
    saved: Mapping[str, str] = field(default_factory=dict)
    hostname: str = ""


@dataclass(frozen=True)
class FileEdit:
    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Rewrite:
    """`dropped`: flags and keys that leave, as written; `mapped`: ("old", "new") for what got another name."""

    edits: tuple[FileEdit, ...] = ()
    dropped: tuple[str, ...] = ()
    mapped: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Option:
    """One option as the daemon gets it. `name` without dashes; `value` is "" for a flag that stands alone."""

    name: str
    value: str
    path: str
    in_json: bool = False
