"""Define the steps that change services, and their titles. `jobs.execute.services` runs them. Pure.

`service`: the full name. `spec_digest`: of the Spec that the plan was made from. A step that finds another one fails.
`room`: which nodes have room for tasks, in words.
"""

from dataclasses import dataclass, field

from imker.protocol.service_commands import PublishedPort
from imker.protocol.values import StepLine


@dataclass(frozen=True)
class CreateService:
    """Create a service. `image`: with its digest, if the registry returned one; `platforms`: those of the image."""

    service: str
    image: str
    replicas: int
    ports: tuple[PublishedPort, ...] = ()
    constraints: tuple[str, ...] = ()
    platforms: tuple[tuple[str, str], ...] = ()
    room: str = field(default="", repr=False)  # no part of what is approved: it changes with every task


@dataclass(frozen=True)
class ScaleService:
    """Change the number of replicas."""

    service: str
    before: int
    replicas: int
    spec_digest: str
    room: str = field(default="", repr=False)  # no part of what is approved: it changes with every task


@dataclass(frozen=True)
class RestartService:
    """Replace all tasks."""

    service: str
    spec_digest: str


@dataclass(frozen=True)
class RollBackService:
    """Return to the previous Spec. `previous_digest`: of that."""

    service: str
    spec_digest: str
    previous_digest: str


@dataclass(frozen=True)
class AwaitConvergence:
    """Wait until the service runs as it should. `is_rollback`: also with the settings of a rollback."""

    service: str
    is_rollback: bool = False


ServiceStep = CreateService | ScaleService | RestartService | RollBackService | AwaitConvergence
SERVICE_STEPS = (CreateService, ScaleService, RestartService, RollBackService, AwaitConvergence)


def service_of(step: object) -> str:
    """Return the full name of the service that a step changes, "" for another kind of step."""
    return str(getattr(step, "service", ""))


def describe_service_step(step: ServiceStep) -> StepLine:
    """Return the step as a line of a plan. Its key names the service, as a plan may change several."""
    title, detail = _title_and_detail(step)
    return StepLine(key=f"{type(step).__name__} {step.service}", title=title, detail=detail)


def _title_and_detail(step: ServiceStep) -> tuple[str, str]:
    match step:
        case CreateService(service, image, replicas, ports, constraints):
            parts = [image.partition("@")[0], f"{replicas} task{'s' * (replicas != 1)}"]
            parts += [*(port.text for port in ports), *constraints, step.room]
            return f"Create {service}", "; ".join(filter(None, parts))
        case ScaleService(service, before, replicas):
            return f"Scale {service} to {replicas}", "; ".join(filter(None, (f"{before} → {replicas}", step.room)))
        case RestartService(service):
            return f"Restart {service}", "as its update settings say"
        case RollBackService(service):
            return f"Roll back {service}", "to its previous settings"
        case AwaitConvergence(service):
            return f"Wait for {service} to converge", ""
