"""Build and change the Spec of a service. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from jobs.steps.services import CreateService

Spec = dict[str, Any]


def build_spec(step: CreateService) -> Spec:
    """Return the Spec of a new service, with the defaults of `docker service create`."""
    placement: Spec = {"Constraints": list(step.constraints)} if step.constraints else {}
    if step.platforms:
        placement["Platforms"] = [{"OS": os, "Architecture": architecture} for os, architecture in step.platforms]
    ports = [
        {
            "Protocol": port.protocol,
            "TargetPort": port.target,
            "PublishedPort": port.published,
            "PublishMode": "host" if port.on_host else "ingress",
        }
        for port in step.ports
    ]
    return {
        "Name": step.service,
        "Labels": {},
        "TaskTemplate": {"ContainerSpec": {"Image": step.image}, "Placement": placement, "ForceUpdate": 0},
        "Mode": {"Replicated": {"Replicas": step.replicas}},
        "EndpointSpec": {"Mode": "vip", "Ports": ports} if ports else {"Mode": "vip"},
    }


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Return a digest of the Spec, "" for an empty one."""
    text = json.dumps(spec, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if spec else ""


def with_replicas(spec: Spec, replicas: int) -> Spec:
    """Return the Spec of a replicated service with this number of tasks."""
    return {**spec, "Mode": {"Replicated": {"Replicas": replicas}}}


def with_restart(spec: Spec) -> Spec:
    """Return the Spec with a counter that makes the manager replace all tasks."""
    template = spec["TaskTemplate"]
    return {**spec, "TaskTemplate": {**template, "ForceUpdate": int(template.get("ForceUpdate") or 0) + 1}}
