"""Restart the Engine and verify its API over TLS. Without an answer, roll the host back."""

from imker.failpoints import failpoint
from imker.protocol.commands import PlanHost
from imker.protocol.next_command import NextCommand
from jobs.connectors import files
from jobs.connectors.shell import sudo
from jobs.daemon_options import argv
from jobs.errors import JobError
from jobs.execute import containers, polling, rollback
from jobs.execute.rollback import RollbackFailed, RollbackPoint, RolledBack
from jobs.execute.target import StepTarget
from jobs.facts.packages import parse_engine_version
from jobs.gather import options
from jobs.steps import RestartEngine

UNITS = ("docker.service", "docker.socket")
ANSWER_TIMEOUT = 60  # seconds for the first answer after the restart


def restart_engine(target: StepTarget, step: RestartEngine) -> str:
    """Restart the Engine. If it does not answer, raise RolledBack, or RollbackFailed if the Engine stays down."""
    if step.previously_running or files.read_file(target.shell, files.RUNNING_CONTAINERS_FILE) is None:
        files.write_file(target.shell, files.RUNNING_CONTAINERS_FILE, "\n".join(step.previously_running))
    valid = _options_are_valid(target)
    if valid and _start_engine(target, step.target_version):
        return f"{step.target_version} answers over TLS"
    _report_failure(target)
    raise _roll_back(target, step, "did not restart" if valid else "rejects its options")


def _options_are_valid(target: StepTarget) -> bool:
    """Return whether the new Engine accepts the options. Engines before 23.0 cannot tell without a restart."""
    flags = argv(options.read_options(target.shell))
    output = target.shell.run(sudo("timeout", "20", "dockerd", "--validate", *flags, check=False))
    if (
        output.code == 0
        or "unknown flag: --validate" in output.stderr
        or "flag provided but not defined" in output.stderr
    ):
        return True
    target.on_output(f"the Engine on {target.host.name} rejects its options", output.stderr[-2000:])
    return False


def _start_engine(target: StepTarget, version: str) -> bool:
    shell = target.shell
    shell.run(sudo("systemctl", "daemon-reload"))
    shell.run(sudo("systemctl", "reset-failed", *UNITS, check=False))
    # The exit status is ignored: a daemon that dies after 60 ms counts as started.
    shell.run(sudo("systemctl", "restart", "docker.service", check=False, timeout=180))
    failpoint("restart.requested")
    return polling.wait_for(lambda: version in ("", _answering_version(target)), ANSWER_TIMEOUT)


def _answering_version(target: StepTarget) -> str:
    """Return the version over a new connection: one that was opened during the restart may hang."""
    return parse_engine_version(str(target.engine_factory(target.host, timeout=2).version["Version"]))


def _report_failure(target: StepTarget) -> None:
    journal = target.shell.run(sudo("journalctl", "-u", "docker.service", "-o", "cat", "-n", "30", "--no-pager")).stdout
    target.on_output(f"the Engine on {target.host.name} did not restart", journal)


def _roll_back(target: StepTarget, step: RestartEngine, reason: str) -> JobError:
    """Restore files and package and start the Engine. If it fails, retry without the classic Swarm's options."""
    target.on_progress("no answer; rolling back")
    old = rollback.load_rollback_point(target.shell)
    package = bool(old.packages) and rollback.downgrade_package(target, old)
    rollback.restore_files(target, old)
    restored_text, engine = _describe_restored(old, package), old.engine_version if package else ""
    if _start_engine(target, engine):
        return _rolled_back(target, step, reason, restored_text, engine, "its old options")
    if rollback.remove_classic_options(target, old) and _start_engine(target, engine):
        return _rolled_back(target, step, reason, restored_text, engine, "its old options without the classic Swarm's")
    host = target.host.name
    copies = " The old files are in the same folders, named .imker-…" if old.copies else ""
    return RollbackFailed(
        f"the Engine on {host} {reason}, and does not start after the rollback either",
        host=host,
        state=f"Its Engine is down{restored_text and '; '}{restored_text}.",
        hint=f"On {host}: journalctl -u docker.service.{copies}",
    )


def _describe_restored(point: RollbackPoint, package: bool) -> str:
    restored_parts = [*(["files"] if point.copies else []), *(["package"] if package else [])]
    return f"restored the old {' and '.join(restored_parts)}" if restored_parts else ""


def _rolled_back(
    target: StepTarget, step: RestartEngine, reason: str, restored: str, engine: str, options: str
) -> RolledBack:
    containers_text = containers.ensure_running(target, step.previously_running, ends_migration=True)
    host = target.host.name
    summary = f"{restored or 'restarted the old one'}, and it answers"
    return RolledBack(
        f"Engine {step.target_version} {reason} on {host}; {summary}; {containers_text}",
        host=host,
        state=f"{f'Engine {engine}' if engine else 'Its Engine'} runs there, with {options}.",
        hint="The thread has the Engine's log.",
        next_commands=(NextCommand(PlanHost(host), "see the remaining steps"),),
    )
