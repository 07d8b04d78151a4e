"""Build what a host's script prints: named sections."""

from collections.abc import Mapping

from jobs.facts.sections import Section
from jobs.gather.host_script import CONTAINERS, NAMED_FILES, OPTIONS, STATE, section_names

CLOCKS = "1795440000.5\n3600.00 7200.00\n"


def format_answer(sections: Mapping[str, Section]) -> bytes:
    """Return the answer that consists of these sections."""
    header = "".join(f"{len(section.raw)} {section.status} {name}\n" for name, section in sections.items())
    return header.encode(errors="surrogateescape") + b"\n" + b"".join(section.raw for section in sections.values())


def empty_host(**texts: str) -> dict[str, Section]:
    """Return the sections of a host whose tools print nothing, except these texts."""
    names = (*section_names(OPTIONS, CONTAINERS, STATE), *section_names(NAMED_FILES))
    printed = {"clocks": CLOCKS, **texts}
    return {name: Section(0, printed.get(name, "").encode(errors="surrogateescape")) for name in (*names, *texts)}
