"""Call an Engine API about services, in one story, and note what each call returns: to compare two worlds.

In: two Engines, of a manager and of a worker. Out: by the name of each call, its status, and its shape or error.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from jobs.connectors.engine import Engine

ID = re.compile(r"\b[a-z0-9]{25}\b")
WAIT_TIMEOUT = 90  # seconds for tasks to reach a state
LABELS = {"com.example.purpose": "test"}
Spec = dict[str, Any]


@dataclass
class Calls:
    """The calls so far. `image`: one that all nodes have and that keeps running; `notes`: what each call returned."""

    manager: Engine
    worker: Engine
    image: str
    notes: dict[str, Any] = field(default_factory=dict)

    def call(self, name: str, method: str, path: str, body: Any = None, on_worker: bool = False) -> Any:
        """Call, and note status and shape under this name. Return the answer."""
        status, answer = self.send(method, path, body, on_worker)
        assert name not in self.notes
        self.notes[name] = (status, normal(answer["message"]) if status >= 400 else shape(answer))
        return answer

    def send(self, method: str, path: str, body: Any = None, on_worker: bool = False) -> tuple[int, Any]:
        api: Any = (self.worker if on_worker else self.manager)._api
        data = None if body is None else json.dumps(body)
        url, headers = api._url("") + path, {"Content-Type": "application/json"}
        response = api.request(method, url, data=data, headers=headers, timeout=30)
        return response.status_code, response.json() if response.content else None

    def service(self, name: str) -> Any:
        return self.send("GET", f"/services/{name}")[1]

    def tasks(self, name: str) -> list[Any]:
        return list(self.send("GET", f"/tasks?filters={json.dumps({'service': [name]})}")[1])

    def note(self, name: str, value: object) -> None:
        """Note a value that has to be the same in both worlds."""
        assert name not in self.notes
        self.notes[name] = value

    def wait(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_TIMEOUT
        while not true():
            assert time.monotonic() < deadline, self.notes
            time.sleep(0.2)

    def wait_for_states(self, name: str, *states: str) -> None:
        """Wait until the wanted tasks of a service are in these states, and note them."""

        def current() -> list[str]:
            active = [task for task in self.tasks(name) if task["DesiredState"] in ("running", "complete")]
            return sorted(task["Status"]["State"] for task in active)

        self.wait(lambda: current() == sorted(states))

    def update(self, name: str, service: str, change: Callable[[Spec], Any], query: str = "") -> None:
        """Change the Spec of a service with its version index."""
        document = self.service(service)
        change(document["Spec"])
        self.call(
            name, "POST", f"/services/{service}/update?version={document['Version']['Index']}{query}", document["Spec"]
        )

    def spec(self, name: str, replicas: int = 2, **more: Any) -> Spec:
        task = {"ContainerSpec": {"Image": self.image}, **more.pop("task", {})}
        mode = {"Replicated": {"Replicas": replicas}}
        return {"Name": name, "Labels": LABELS, "TaskTemplate": task, "Mode": mode, **more}


def normal(text: str) -> str:
    """Return a message without IDs."""
    return ID.sub("ID", text)


def shape(value: Any) -> Any:
    """Return the types of a document, with its keys. Of a list, one entry with the keys of all: its order may vary."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [reduce(_merge, map(shape, value))] if value else []
    return type(value).__name__


def _merge(first: Any, second: Any) -> Any:
    """Return the shape that has the keys of both."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first | {key: _merge(first[key], inner) if key in first else inner for key, inner in second.items()}
    if isinstance(first, list) and isinstance(second, list):
        return [_merge(first[0], second[0])] if first and second else first or second
    return second if first == "NoneType" else first


def is_part_of(part: Any, larger: Any) -> bool:
    """Return whether a shape has nothing that the other one lacks: a simulated Engine returns fewer keys."""
    if isinstance(part, dict) and isinstance(larger, dict):
        return all(key in larger and is_part_of(inner, larger[key]) for key, inner in part.items())
    if isinstance(part, list) and isinstance(larger, list):
        return not part or not larger or is_part_of(part[0], larger[0])
    return bool(part == larger)


def difference(simulated: Any, real: Any) -> str:
    """Return how the simulated result of a call differs from the real one, "" if it does not."""
    if not (isinstance(simulated, tuple) and isinstance(real, tuple)):
        return "" if simulated == real else f"{simulated!r} instead of {real!r}"
    if simulated[0] != real[0]:
        return f"status {simulated} instead of {real}"
    if simulated[0] >= 400:
        return "" if simulated[1] == real[1] else f"{simulated[1]!r} instead of {real[1]!r}"
    return "" if is_part_of(simulated[1], real[1]) else f"{simulated[1]} is no part of {real[1]}"
