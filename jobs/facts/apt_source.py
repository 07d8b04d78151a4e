"""Switch the component of an apt source, in one-line or deb822 format. Pure: text in, text out."""

import re

from jobs.settings import AptComponent


def switch_component(source: str, component: AptComponent | None) -> str:
    """Return the list with the component replaced wherever it is a separate word. Comments are unchanged."""
    if component is None:
        return source
    return "".join(_switch_line(line, component) for line in source.splitlines(keepends=True))


def _switch_line(line: str, component: AptComponent) -> str:
    if not re.match(r"\s*(deb|deb-src)\s|components:", line, re.IGNORECASE):
        return line
    # The URL and the suite may contain the word too ("…/main"), so only a word between blanks is replaced.
    return re.sub(rf"(?<=[\s:]){re.escape(component.before)}(?=\s|$)", component.after, line)
