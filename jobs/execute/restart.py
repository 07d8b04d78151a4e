"""Restart the Engine and verify its API. Without an answer, roll the host back."""

from dataclasses import replace

from imker.failpoints import failpoint
from imker.protocol.commands import PlanHost
from imker.protocol.next_command import NextCommand
from jobs.connectors import files
from jobs.connectors.script_files import load_script
from jobs.connectors.shell import script, sudo
from jobs.daemon_options import argv
from jobs.errors import JobError
from jobs.execute import containers, polling, rollback
from jobs.execute.rollback import RollbackFailed, RollbackPoint, RolledBack
from jobs.execute.target import StepTarget
from jobs.facts.packages import parse_engine_version
from jobs.gather import options
from jobs.steps import RestartEngine

ANSWER_TIMEOUT = 60  # seconds for the first answer after the restart
RESTART_TIMEOUT = 200  # seconds to validate the options, and to stop and start the daemon
REJECTED_EXIT = 65  # the Engine rejects its options, and was not restarted


def restart_engine(target: StepTarget, step: RestartEngine) -> str:
    """Restart the Engine. If it does not answer, raise RolledBack, or RollbackFailed if the Engine stays down."""
    valid = _restart_validated(target, step.previously_running)
    if valid and _answers(target, step.target_version):
        return f"{step.target_version} answers over {target.host.engine_protocol}"
    _report_failure(target)
    raise _roll_back(target, step, "did not restart" if valid else "rejects its options")


def _restart_validated(target: StepTarget, running: tuple[str, ...]) -> bool:
    """Save the running containers' names and restart the Engine, with one command.

    Return False if the new Engine rejects its options, which Engines before 23.0 cannot tell without a restart.
    """
    flags, mode = argv(options.read_options(target.shell)), "replace" if running else "keep"
    text = load_script("names", "validate_options", "restart_docker")
    restart_script = script(text, files.RUNNING_CONTAINERS_FILE, mode, *flags)
    restart = sudo(*restart_script, stdin=files.name_list(running), title="systemctl", timeout=RESTART_TIMEOUT)
    output = target.shell.run(replace(restart, check=False))
    if output.code == REJECTED_EXIT:
        target.on_output(f"the Engine on {target.host.name} rejects its options", output.stderr)
        return False
    output.check(target.host.name, restart)
    return True


def _start_engine(target: StepTarget, version: str) -> bool:
    restart = script(load_script("restart_docker"))
    target.shell.run(sudo(*restart, title="systemctl", timeout=RESTART_TIMEOUT))
    return _answers(target, version)


def _answers(target: StepTarget, version: str) -> bool:
    """Return whether the Engine of that version answers after a restart. Any version, if it is ""."""
    failpoint("restart.requested")
    return polling.wait_for(lambda: version in ("", _answering_version(target)), ANSWER_TIMEOUT, interval=0.02)


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
        hint=f"On {host}, run `journalctl -u docker.service`.{copies}",
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
