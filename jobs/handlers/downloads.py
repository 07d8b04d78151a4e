"""Download the packages of a fleet's plan ahead, while its first host is migrated. A failure is a note, no error."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from imker.protocol.commands import DownloadPackages, StopDownloads
from imker.protocol.events import JobFinished, JobStarted, Planned, StepDone, StepFailed, StepStarted
from imker.protocol.values import StepLine
from jobs.connectors import files
from jobs.connectors.fenced_shell import FencedShell, claim_token
from jobs.connectors.shell import Shell
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.execute import downloads
from jobs.facts.apt_source import switch_component
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.model import Host
from jobs.locking.lease import LockHolder, acquire_lock

MAX_PARALLEL_HOSTS = 8
STOP_TIMEOUT = 20  # seconds to wait for a host's lock before its download is stopped


@dispatch.register
def download_packages(command: DownloadPackages, context: JobContext) -> None:
    """Start the downloads that the fleet's start approved, unless the fleet is paused or cancelled."""
    packages = _approved_packages(context)
    hosts = [context.find_host(name) for name in command.hosts if packages.get(name)]
    _run_on_each(context, "Download", hosts, lambda host: _start_download(context, host, packages[host.name]))


@dispatch.register
def stop_downloads(command: StopDownloads, context: JobContext) -> None:
    """Stop the downloads of a fleet that was paused or cancelled, or that has failed."""
    hosts = [context.find_host(name) for name in command.hosts]
    _run_on_each(context, "StopDownload", hosts, lambda host: _stop_download(context, host))


def _approved_packages(context: JobContext) -> dict[str, tuple[str, ...]]:
    """Return the packages by host, as the fleet's run planned them. Raises JobError if that plan was not approved."""
    fleet = context.request.parent_run
    plan, question = context.events.fleet_plan_of(fleet), context.events.start_question_of(fleet)
    approved = {approval.fingerprint for approval in context.request.approvals}
    if plan is None or question is None or question.fingerprint not in approved:
        raise JobError("the fleet's plan was not started, so nothing is downloaded")
    return {item.host: item.packages for item in plan.host_plans}


def _run_on_each(context: JobContext, name: str, hosts: list[Host], work: Callable[[Host], str]) -> None:
    """Run the work on all hosts, several at once. A host's failure is a failed step, and the job continues."""
    context.events.emit(JobStarted())
    keys = {host.name: f"{name} {host.name}" for host in hosts}
    context.events.emit(Planned(tuple(StepLine(key, key) for key in keys.values())))
    for key in keys.values():
        context.events.emit(StepStarted(key))
    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        running = {pool.submit(work, host): keys[host.name] for host in hosts}
        for future in as_completed(running):
            error = future.exception()
            if error is None:
                context.events.emit(StepDone(running[future], future.result()))
            elif isinstance(error, JobError):
                context.events.emit(StepFailed(running[future], error.summary))
            else:
                raise error
    context.events.emit(JobFinished("done", f"{name}: {len(hosts)} hosts"))


def _start_download(context: JobContext, host: Host, packages: tuple[str, ...]) -> str:
    settings = context.settings.engine
    with _claimed_host(context, host, timeout=0) as shell:
        hold = context.events.current_hold(context.request.parent_run)
        if hold and hold.action != "resume":
            return "not started: the fleet was held"
        source = switch_component(files.read_file(shell, str(settings.apt_list)) or "", settings.apt_component)
        downloads.start_download(shell, settings.apt_list.name, source, packages)
        return "started"


def _stop_download(context: JobContext, host: Host) -> str:
    with context.open_shell(host) as shell:
        if not downloads.is_downloading(shell):
            return "not running"
    with _claimed_host(context, host, STOP_TIMEOUT) as fenced_shell:
        downloads.stop_download(fenced_shell)
        return "stopped"


@contextmanager
def _claimed_host(context: JobContext, host: Host, timeout: float) -> Iterator[Shell]:
    """Lock the host in the name of the fleet's run. Raises LockHeld if its own migration has it."""
    request = context.request
    holder = LockHolder(request.parent_run, request.requester, f"download packages on {host.name}", time.time())
    lock = acquire_lock(context.redis, f"host:{host.name}", holder, timeout=timeout)
    with lock as lease, context.open_shell(host) as shell:
        token = claim_token(lease, lambda token: FencedShell(shell, token).claim_host())
        yield FencedShell(shell, token)
