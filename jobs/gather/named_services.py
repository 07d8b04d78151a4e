"""Read the services that a command names, and check that the request covers them."""

from collections.abc import Sequence

from imker.protocol.commands import ListHosts, Migrate
from imker.protocol.next_command import NextCommand
from imker.protocol.service_commands import ListServices
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.facts.services.model import Service, ServiceFacts
from jobs.facts.services.names import find_named, is_named, similar_names
from jobs.gather.services import find_managers, read_services


def require_managers(context: JobContext) -> tuple[str, ...]:
    """Return the names of the hosts that manage the swarm, best first. Raise JobError if there is none to ask."""
    swarm = find_managers(context)
    if swarm.managers:
        return swarm.managers
    reason = swarm.problem or (f"unreachable: {', '.join(swarm.unreachable)}" if swarm.unreachable else "")
    if reason:
        raise JobError(reason, next_commands=(NextCommand(ListHosts()),))
    migrate = NextCommand(Migrate("HOST", "manager"), "migrate its first manager")
    raise JobError("there is no swarm yet", next_commands=(migrate,))


def read_named(context: JobContext, managers: Sequence[str], names: Sequence[str]) -> ServiceFacts:
    """Return all services, with the tasks of those that may be meant by the names."""
    return read_services(context, managers, lambda service: any(is_named(service, name) for name in names))


def require_service(context: JobContext, facts: ServiceFacts, text: str) -> Service:
    """Return the service that was typed. Raise JobError if it is none, not the only one, or not permitted.

    Names of services that the request does not cover are not shown.
    """
    visible = [service for service in facts.services if context.covers_service(service.name)]
    matches = find_named(visible, text)
    if len(matches) == 1:
        return matches[0]
    show = (NextCommand(ListServices(), "see the services"),)
    if matches:
        listed = ", ".join(service.name for service in matches)
        raise JobError(f"{text} is the name of {len(matches)} services: {listed}", hint="Type the full name.")
    if find_named(facts.services, text):
        context.require_service(find_named(facts.services, text)[0].name)
    suggestions = similar_names(visible, text)
    hint = f"Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    raise JobError(f"there is no service {text}", hint=hint, next_commands=show)
