"""Define the values that the daemon's options are read from and rewritten to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imker.protocol.values import Finding


@dataclass(frozen=True)
class UnitFacts:
    """docker.service, as `systemctl show` prints it. `environment_files` keep their leading "-"."""

    fragment_path: str
    drop_in_paths: tuple[str, ...]
    environment_files: tuple[str, ...]


@dataclass(frozen=True)
class OptionFiles:
    """All option files of a host.

    `files`: path -> text; `command_line`: argv of the running daemon; `saved`: path -> text of Imker's newest backup;
    `hostname`: of the host, which a unit may refer to.
    """

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
    """The result of a rewrite. `dropped`: removed flags and keys, as written; `mapped`: (old, new) of renamed ones."""

    edits: tuple[FileEdit, ...] = ()
    dropped: tuple[str, ...] = ()
    mapped: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Option:
    """One option as the daemon gets it. `name`: without dashes; `value`: "" for a boolean flag."""

    name: str
    value: str
    path: str
    in_json: bool = False
