"""Call an Engine API about services, tasks, and images. A part of jobs.connectors.engine.Engine."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from docker.api.client import APIClient
from docker.errors import APIError

from imker.text import one_line
from jobs.connectors.engine_errors import translate_errors
from jobs.connectors.json_text import without_surrogates
from jobs.errors import EngineRefused
from jobs.facts.services import parse
from jobs.inventory.model import Host

MAX_SERVICES, MAX_TASKS = 5000, 50_000
MAX_FAILURE = 2000  # characters of a registry's answer
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
Document = dict[str, Any]


@dataclass(frozen=True)
class RegistryAnswer:
    """A registry's answer about an image. `platforms`: (OS, architecture) pairs; `failure`: why there is none."""

    digest: str
    platforms: tuple[tuple[str, str], ...] = ()
    failure: str = ""


class ServiceCalls:
    """The calls about services. `host`: whose Engine it is."""

    host: Host
    _api: APIClient

    def services(self, name: str = "") -> list[Document]:
        """Return the services whose name begins with `name`. From 20.10 on, the manager counts their tasks."""
        filters = {"filters": json.dumps({"name": [name]})} if name else {}
        return self._list("/services", {"status": "true", **filters}, MAX_SERVICES, parse.parse_service)

    def service_tasks(self, filters: dict[str, list[str]]) -> list[Document]:
        """Return the tasks that the filters match, such as {"service": [ID, ...]}."""
        return self._list("/tasks", {"filters": json.dumps(filters)}, MAX_TASKS, parse.parse_task)

    def _list(
        self, path: str, query: dict[str, str], limit: int, check: Callable[[Document], object]
    ) -> list[Document]:
        """Return a list of at most `limit` documents, each of which `check` can parse."""
        with translate_errors(self.host):
            api: Any = self._api
            answer = without_surrogates(api._result(api._get(api._url(path), params=query), json=True)) or []
            if len(answer) > limit:
                text = f"{self.host.name} listed {len(answer)} {path.strip('/')}; Imker accepts {limit} at most"
                raise EngineRefused(text, host=self.host.name)
            for document in answer:
                check(document)
            return list(answer)

    def service(self, service: str) -> Document:
        """Return a service with its complete Spec, and the previous one. `service`: its ID or full name."""
        with translate_errors(self.host):
            api: Any = self._api
            document: Document = without_surrogates(api.inspect_service(service))
            parse.parse_service(document)
            return document

    def create_service(self, spec: Document) -> None:
        """Create a service. Raise EngineRefused if there is one with this name."""
        self._post("/services/create", {}, spec)

    def update_service(self, service: str, version: int, spec: Document, *, rollback: bool = False) -> None:
        """Replace a service's Spec, or return to its previous one. `version`: index of the old Spec."""
        query = {"version": str(version), **({"rollback": "previous"} if rollback else {})}
        self._post(f"/services/{quote(service, safe='')}/update", query, spec)

    def find_image(self, image: str) -> str:
        """Return "" if this host has the image, else why not."""
        return self._ask(f"/images/{quote(image, safe='/:@')}/json")[0]

    def ask_registry(self, image: str) -> RegistryAnswer:
        """Ask the image's registry for its digest and platforms, as `docker service create` does."""
        failure, answer = self._ask(f"/distribution/{quote(image, safe='/:@')}/json")
        digest = str((answer.get("Descriptor") or {}).get("digest") or "")
        platforms = [each for each in answer.get("Platforms") or () if isinstance(each, dict)]
        pairs = ((str(each.get("os") or ""), str(each.get("architecture") or "")) for each in platforms)
        known_platforms = tuple(dict.fromkeys(pair for pair in pairs if pair[0] not in ("", "unknown")))
        return RegistryAnswer(digest if DIGEST.fullmatch(digest) else "", known_platforms, failure)

    def _ask(self, path: str) -> tuple[str, Document]:
        """Return why the Engine has no answer, "" if it has one, and the answer."""
        with translate_errors(self.host):
            api: Any = self._api
            try:
                answer = without_surrogates(api._result(api._get(api._url(path)), json=True))
            except APIError as error:
                return one_line(str(error.explanation or error), MAX_FAILURE) or "no reason", {}
            return "", answer if isinstance(answer, dict) else {}

    def _post(self, path: str, query: dict[str, str], body: Document) -> None:
        with translate_errors(self.host):
            api: Any = self._api
            api._raise_for_status(api._post_json(api._url(path), data=body, params=query))
