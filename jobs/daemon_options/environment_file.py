"""An environment file's variables, such as /etc/default/docker's, as systemd reads them. Pure.

Two things are read as a shell does, which some hosts' init scripts still are: `export`, and a comment behind a value.
"""

import re

from jobs.daemon_options.traced import Place, Traced, traced

KEY = re.compile(r"^[ \t]*(?:export[ \t]+)?(?P<key>[^#;\s=][^=\r\n]*)=", re.MULTILINE)
VALID = re.compile(r"[A-Za-z_]\w*\+?")
# Quotes count where a value begins, or a further part of it; behind anything else they are plain characters.
QUOTED = re.compile(r"""(?P<soft>"(?:[^"\\]|\\.)*(?:"|\\?\Z))|(?P<hard>'[^']*(?:'|\Z))|(?P<blank>[ \t]+)""", re.DOTALL)
REST = re.compile(r"(?P<comment>(?<=[ \t])#[^\r\n]*)|\\(?P<kept>[^\r\n])|(?P<eaten>\\\r?\n)|(?P<plain>[^\r\n])")
LINE = re.compile(r"(?:\\\r?\n|\\?[^\r\n])*")  # with its continuation lines
SOFT = re.compile(r"""\\(?P<kept>["\\`$])|(?P<eaten>\\\r?\n)|(?P<plain>.)""", re.DOTALL)


def assignments(text: str) -> tuple[Place, ...]:
    found, place = [], 0
    while match := KEY.search(text, place):
        value, place = _value(text, match.end())
        key = match["key"].rstrip(" \t")
        if VALID.fullmatch(key):
            found.append(Place(key, value, match.start(), place))
    return tuple(found)


def variables(text: str) -> dict[str, str]:
    """NAME -> value; the last of two wins."""
    return {place.name: place.value.text for place in assignments(text)}


def _value(text: str, place: int) -> tuple[Traced, int]:
    """The value, and where its last line ends."""
    value = Traced()
    while part := QUOTED.match(text, place):
        if part["soft"]:
            value = _characters(value, SOFT, text, place + 1, part.end() - part[0].endswith('"', 1))
        elif part["hard"]:
            value += traced(text, place + 1, part.end() - part[0].endswith("'", 1))
        place = part.end()
    sure = len(value.text)
    end = LINE.match(text, place).end()  # type: ignore[union-attr]
    value = _characters(value, REST, text, place, end)
    kept = sure + len(value.text[sure:].rstrip(" \t"))
    return value[:kept], end


def _characters(value: Traced, form: re.Pattern[str], text: str, start: int, end: int) -> Traced:
    said, spans = list(value.text), list(value.spans)
    for part in form.finditer(text, start, end):
        span = part.span()
        if part["kept"] or part["plain"]:
            said.append(part["kept"] or part["plain"])
            spans.append(span)
        elif part["eaten"] and said and said[-1] in " \t":
            spans[-1] = (spans[-1][0], span[1])  # so that they leave together
    return Traced("".join(said), tuple(spans))
