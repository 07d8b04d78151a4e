"""Show what differs between two Specs of a service, without secrets. Pure.

Only values of harmless keys are shown. Of all others, such as environment variables, labels, and commands, it is only
said that they changed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from imker.text import one_line

MAX_VALUE, MAX_LINES = 200, 60  # characters of a value; lines of a diff
HIDDEN = "changed (value not shown)"
NAMED_LISTS = {"Secrets": "SecretName", "Configs": "ConfigName", "Networks": "Target", "Mounts": "Target"}
VISIBLE = re.compile(
    r"TaskTemplate\.(ForceUpdate|ContainerSpec\.(Image|User|Dir|Hostname|StopGracePeriod|StopSignal|ReadOnly|Init)"
    r"|Resources\..*|Placement\..*|RestartPolicy\..*|Networks|Runtime)"
    r"|Mode\..*|UpdateConfig\..*|RollbackConfig\..*|EndpointSpec\..*|Name"
)
WORDS = {"TaskTemplate.ForceUpdate": "restarts", "TaskTemplate.ContainerSpec.Image": "image"}


def diff_specs(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the differences, a line each for the old and the new value."""
    old, new = dict(_flatten("", before)), dict(_flatten("", after))
    lines = [line for path in sorted({*old, *new}) for line in _difference(path, old.get(path), new.get(path))]
    more = [f"and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []
    return "\n".join([*lines[:MAX_LINES], *more])


def _difference(path: str, old: str | None, new: str | None) -> Iterator[str]:
    if old == new:
        return
    name = one_line(WORDS.get(path, path.removeprefix("TaskTemplate.").removeprefix("ContainerSpec.")), MAX_VALUE)
    if not VISIBLE.fullmatch(path):
        yield f"+ {name}" if old is None else f"- {name}" if new is None else f"  {name} {HIDDEN}"
        return
    if old is not None:
        yield f"- {name}: {one_line(old, MAX_VALUE)}"
    if new is not None:
        yield f"+ {name}: {one_line(new, MAX_VALUE)}"


def _flatten(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each value with its path. Environment variables and named lists are split by name."""
    key = path.rpartition(".")[2]
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flatten(f"{path}.{name}".lstrip("."), inner)
    elif key == "Env" and isinstance(value, list):
        for entry in value:
            name, _, text = str(entry).partition("=")
            yield f"{path}.{name}", text
    elif key in NAMED_LISTS and isinstance(value, list):
        for number, entry in enumerate(value):
            name = entry.get(NAMED_LISTS[key], number) if isinstance(entry, Mapping) else number
            yield f"{path}.{name}", json.dumps(entry, sort_keys=True)
    elif value not in (None, "", [], {}):
        yield path, value if isinstance(value, str) else json.dumps(value, sort_keys=True)
