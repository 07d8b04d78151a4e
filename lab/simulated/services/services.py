"""The services of a swarm as its managers' Engines offer them: lists, creation, updates, and their errors."""

import copy
import re
import secrets
import time
from typing import Any

from lab.simulated.engine_errors import EngineError
from lab.simulated.engine_versions import Pace
from lab.simulated.nodes import Nodes
from lab.simulated.services import updater
from lab.simulated.services.model import Service, Spec, Task, service_to_api, task_to_api
from lab.simulated.services.orchestrator import Orchestrator
from lab.simulated.services.scheduler import is_valid_constraint

NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
INVALID = "rpc error: code = InvalidArgument desc = "
OUT_OF_SEQUENCE = "rpc error: code = Unknown desc = update out of sequence"
Filters = dict[str, list[str]]


class Services:
    """The services of one swarm. The swarm checks that a manager was asked, and holds its mutex."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.orchestrator = Orchestrator(pace)

    def reset(self, nodes: Nodes) -> None:
        """Forget all services: a new swarm has none."""
        registry, crashes = self.orchestrator.registry, self.orchestrator.crashes
        self.orchestrator = Orchestrator(self._pace, nodes, registry=registry, crashes=crashes)

    # --- queries ---

    def list_services(self, filters: Filters, with_status: bool) -> list[dict[str, Any]]:
        self.orchestrator.advance()
        matching = [service for service in self.orchestrator.services.values() if _matches(service, filters)]
        return [copy.deepcopy(self._to_api(service, with_status)) for service in matching]

    def show_service(self, key: str) -> dict[str, Any]:
        self.orchestrator.advance()
        return copy.deepcopy(self._to_api(self.find(key), False))

    def list_tasks(self, filters: Filters) -> list[dict[str, Any]]:
        self.orchestrator.advance()
        services = {self.find(key).id for key in filters.get("service") or ()}
        tasks = [task for task in self.orchestrator.tasks.values() if _matches_task(task, filters, services)]
        return [copy.deepcopy(task_to_api(task)) for task in tasks]

    def show_task(self, key: str) -> dict[str, Any]:
        self.orchestrator.advance()
        matches = [task for task in self.orchestrator.tasks.values() if task.id.startswith(key)]
        if len(matches) != 1:
            raise EngineError(404, f"task {key} not found")
        return copy.deepcopy(task_to_api(matches[0]))

    def find(self, key: str) -> Service:
        """Return the service with this ID, name, or beginning of an ID."""
        services = self.orchestrator.services
        named = [service for service in services.values() if key in (service.id, service.name)]
        matches = named or [service for service in services.values() if service.id.startswith(key)]
        if len(matches) > 1:
            raise EngineError(400, f"service {key} is ambiguous ({len(matches)} matches found)")
        if not matches:
            raise EngineError(404, f"service {key} not found")
        return matches[0]

    # --- changes ---

    def create(self, spec: Spec) -> dict[str, str]:
        self.orchestrator.advance()
        spec = {**spec, "Name": spec.get("Name") or f"unnamed_{secrets.token_hex(4)}"}
        self._check(spec)
        if any(service.name == spec["Name"] for service in self.orchestrator.services.values()):
            text = f"name conflicts with an existing object: service {spec['Name']} already exists"
            raise EngineError(409, f"rpc error: code = AlreadyExists desc = {text}")
        service = Service(secrets.token_hex(13)[:25], spec, next(self.orchestrator.indices), 1)
        self._check_ports(service)
        self.orchestrator.services[service.id] = service
        self.orchestrator.advance()
        return {"ID": service.id}

    def update(self, key: str, index: int, spec: Spec, rollback: str) -> dict[str, Any]:
        self.orchestrator.advance()
        service = self.find(key)
        if index != service.version_index:
            raise EngineError(500, OUT_OF_SEQUENCE)
        if rollback == "previous":
            if service.previous_spec is None:
                text = f"service {service.id} does not have a previous spec"
                raise EngineError(400, f"rpc error: code = FailedPrecondition desc = {text}")
            updater.roll_back(service, "manually requested rollback")
        else:
            self._replace_spec(service, spec)
        service.version_index, service.updated_at = next(self.orchestrator.indices), time.time()
        self.orchestrator.advance()
        return {"Warnings": None}

    def remove(self, key: str) -> None:
        del self.orchestrator.services[self.find(key).id]
        self.orchestrator.advance()

    def _replace_spec(self, service: Service, spec: Spec) -> None:
        self._check(spec)
        if spec["Name"] != service.name:
            raise EngineError(501, "rpc error: code = Unimplemented desc = renaming services is not supported")
        changed = Service(service.id, spec, 0, 0)
        if changed.mode != service.mode:
            raise EngineError(501, "rpc error: code = Unimplemented desc = service mode change is not allowed")
        self._check_ports(changed)
        is_dirty = (spec.get("TaskTemplate"), changed.ports) != (service.spec.get("TaskTemplate"), service.ports)
        service.previous_spec, service.spec = service.spec, spec
        service.spec_version += 1
        service.update = None
        if is_dirty:
            service.dirty_version = service.spec_version

    def _to_api(self, service: Service, with_status: bool) -> dict[str, Any]:
        return service_to_api(service, self.orchestrator.tasks_of(service), with_status)

    def _check(self, spec: Spec) -> None:
        name, template = str(spec.get("Name") or ""), spec.get("TaskTemplate") or {}
        if len(name) > 63:
            raise EngineError(400, f"{INVALID}name must be 63 characters or fewer")
        if not NAME.fullmatch(name):
            raise EngineError(400, f"{INVALID}name must be valid as a DNS name component")
        if not (template.get("ContainerSpec") or {}).get("Image"):
            raise EngineError(400, f"{INVALID}ContainerSpec: image reference must be provided")
        for constraint in (template.get("Placement") or {}).get("Constraints") or ():
            if not is_valid_constraint(constraint):
                text = "constraint expected one operator from ==, !="
                raise EngineError(500, f"rpc error: code = Unknown desc = {text}")

    def _check_ports(self, service: Service) -> None:
        """Raise EngineError if another service publishes one of its ports on every node."""
        for other in self.orchestrator.services.values():
            both = service.ingress_ports & other.ingress_ports
            if other.id != service.id and both:
                port = min(both)[0]
                text = f"port '{port}' is already in use by service '{other.name}' ({other.id}) as an ingress port"
                raise EngineError(400, f"{INVALID}{text}")


def _matches(service: Service, filters: Filters) -> bool:
    names, ids = filters.get("name") or (), filters.get("id") or ()
    is_named = not names or any(service.name.startswith(name) for name in names)
    return is_named and (not ids or any(service.id.startswith(each) for each in ids))


def _matches_task(task: Task, filters: Filters, services: set[str]) -> bool:
    if filters.get("service") and task.service not in services:
        return False
    if filters.get("node") and task.node not in filters["node"]:
        return False
    states = filters.get("desired-state")
    return not states or task.desired in (*states, *(("complete",) if "running" in states else ()))
