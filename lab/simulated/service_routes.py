"""Serve the paths of services, tasks, and images of a simulated Engine API."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lab.simulated.api_request import ApiRequest, Route, record_error
from lab.simulated.engine_errors import REGISTRY_UNREACHABLE, EngineError
from lab.simulated.services.services import Services


@contextmanager
def _services(request: ApiRequest) -> Iterator[Services]:
    with request.machine.world.swarm.services_of(request.machine) as services:
        yield services


def _filters(request: ApiRequest) -> dict[str, list[str]]:
    """Return the filters, which clients write as lists or as maps."""
    return {key: list(values) for key, values in json.loads(request.query.get("filters") or "{}").items()}


def _list_services(request: ApiRequest) -> Any:
    with_status = request.query.get("status", "").lower() in ("1", "true")
    with _services(request) as services:
        return services.list_services(_filters(request), with_status)


def _show_service(request: ApiRequest) -> Any:
    with _services(request) as services:
        return services.show_service(request.path_groups[0])


def _list_tasks(request: ApiRequest) -> Any:
    with _services(request) as services:
        return services.list_tasks(_filters(request))


def _show_task(request: ApiRequest) -> Any:
    with _services(request) as services:
        return services.show_task(request.path_groups[0])


def _create_service(request: ApiRequest) -> Any:
    return _change_service(request, f"create {request.body.get('Name')}", lambda each: each.create(request.body))


def _update_service(request: ApiRequest) -> Any:
    index, rollback = _version(request), request.query.get("rollback", "")
    key, detail = request.path_groups[0], "roll back" if rollback else "update"
    return _change_service(
        request, f"{detail} {key}", lambda services: services.update(key, index, request.body, rollback)
    )


def _version(request: ApiRequest) -> int:
    text = request.query.get("version", "")
    if not text.isdecimal():
        reason = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise EngineError(400, f"invalid service version '{text}': {reason}")
    return int(text)


def _remove_service(request: ApiRequest) -> Any:
    key = request.path_groups[0]
    return _change_service(request, f"remove {key}", lambda services: services.remove(key))


def _change_service(request: ApiRequest, detail: str, change: Callable[[Services], Any]) -> Any:
    history = request.machine.world.history
    with (
        history.record_action(request.machine.name, "service", detail, request.source) as action,
        _services(request) as services,
    ):
        return record_error(action, lambda: change(services))


def _show_image(request: ApiRequest) -> Any:
    """Show an image that this host has."""
    name = request.path_groups[0]
    if not {name, f"{name}:latest"} & request.machine.images:
        with_tag = name if ":" in name else f"{name}:latest"
        raise EngineError(404, f"no such image: {name}: No such image: {with_tag}")
    return {"Id": f"sha256:{name}", "RepoTags": [name], "Architecture": "amd64", "Os": "linux"}


def _ask_registry(request: ApiRequest) -> Any:
    """Ask the registry for an image, as an Engine does for a client."""
    registry, name = request.machine.world.swarm.services.orchestrator.registry, request.path_groups[0]
    if not registry:
        raise EngineError(500, REGISTRY_UNREACHABLE)
    if not {name, f"{name}:latest"} & registry:
        raise EngineError(404, "manifest unknown: manifest unknown")
    descriptor = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{'0' * 64}", "size": 1}
    return {"Descriptor": descriptor, "Platforms": [{"architecture": "amd64", "os": "linux"}]}


SERVICE_ROUTES: tuple[Route, ...] = (
    ("GET", "/tasks", _list_tasks),
    ("GET", "/services", _list_services),
    ("GET", "/tasks/([^/]+)", _show_task),
    ("GET", "/services/([^/]+)", _show_service),
    ("POST", "/services/create", _create_service),
    ("POST", "/services/([^/]+)/update", _update_service),
    ("DELETE", "/services/([^/]+)", _remove_service),
    ("GET", "/images/(.+)/json", _show_image),
    ("GET", "/distribution/(.+)/json", _ask_registry),
)
