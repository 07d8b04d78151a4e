"""Show the swarm's services, and one of them with its tasks and why they do not run."""

import time

from imker.protocol.events import JobFinished, JobStarted
from imker.protocol.service_commands import ListServices, ShowService
from imker.protocol.service_events import ServiceTable
from jobs.context import JobContext
from jobs.facts.services.rows import describe, service_rows
from jobs.gather.named_services import read_named, require_managers, require_service
from jobs.gather.services import read_services
from jobs.handlers.dispatcher import dispatch


@dispatch.register
def list_services(_: ListServices, context: JobContext) -> None:
    """Emit the services that the request covers."""
    context.events.emit(JobStarted())
    facts = read_services(context, require_managers(context))
    visible = [service for service in facts.services if context.covers_service(service.name)]
    context.events.emit(ServiceTable(facts.answered_by, time.time(), service_rows(facts, visible)))
    context.events.emit(JobFinished("done", f"{len(visible)} services"))


@dispatch.register
def show_service(command: ShowService, context: JobContext) -> None:
    """Emit everything about one service."""
    context.events.emit(JobStarted())
    facts = read_named(context, require_managers(context), command.services)
    service = require_service(context, facts, command.name)
    context.events.emit(describe(service, facts, time.time()))
    context.events.emit(JobFinished("done", service.name))
