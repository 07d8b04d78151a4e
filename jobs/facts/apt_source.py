"""An apt source's component, switched. Pure: text in, text out; one-line and deb822 lists."""

import re

from jobs.settings import AptComponent


def switch_component(source: str, component: AptComponent | None) -> str:
    """The list with the component changed where it stands as a word of its own; comments and all else stay."""
    if component is None:
        return source
    return "".join(_switch_line(line, component) for line in source.splitlines(keepends=True))


def _switch_line(line: str, component: AptComponent) -> str:
    if not re.match(r"\s*(deb|deb-src)\s|components:", line, re.IGNORECASE):
        return line
    # The URL and the suite may hold the word too ("…/main"): only what stands between blanks counts.
    return re.sub(rf"(?<=[\s:]){re.escape(component.before)}(?=\s|$)", component.after, line)
