"""Map every state of a run to the steps that a reader can take next: buttons, and the commands to type instead.

In: a run's state, and its fleet's state if it is a fleet's run. Out: next steps. `TABLE` alone decides which. Pure.
"""

from dataclasses import replace
from typing import Literal

from bot.records import Choice, command_services
from bot.state import fleet_state
from bot.state.fleet_state import FleetState
from bot.state.next_step import NextStep
from bot.state.run_control import changes_host
from bot.state.run_state import RunState, current_decision, latest_started_step
from bot.state.service_next_steps import RESTART, ROLL_BACK, SCALE_UP, SHOW_SERVICE, ServiceSituation, service_situation
from imker.protocol.commands import Migrate, PlanHost
from imker.protocol.events import JobFinished, Question
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.version import READS_QUEUE

Situation = (
    Question
    | Literal[
        "decided", "expired", "running_change", "running_read", "running_fleet", "paused_fleet", "open_fleet",
        "planned", "blocked", "read", "changed", "kept_stopped", "kept_store", "refused", "stopped", "never_started",
    ]
    | ServiceSituation
)  # fmt: skip


def _answer(label: str, choice: Choice, description: str, style: Literal["", "primary", "danger"] = "") -> NextStep:
    command = "" if choice == "start" else f"{choice} {{run}}"
    return NextStep(choice, label, command, description, style, choice=choice)


CANCEL = replace(
    _answer("Cancel", "cancel", "Cancel: {command}"), confirm="This cancels “{command}”. Completed steps are kept."
)
SHOW_DETAILS = NextStep("details", "Details", "status {run}", "Details: {command}", in_menu=True)
PAUSE = NextStep("pause", "Pause", "pause {run}", "Pause: {command}", in_menu=True)
CANCEL_RUN = NextStep(
    "cancel_run", "Cancel", "cancel {run}", "Cancel: {command}", "danger",
    "This cancels “{command}” after the current step. Completed steps are kept.",
)  # fmt: skip
RESUME_FLEET = NextStep("resume_fleet", "Resume", "resume {run}", "Resume: {command}", "primary")
TRY_AGAIN = NextStep("try_again", "Try again", "retry {retried_run}", "Try again: {command}", "primary")
CHECK_AGAIN = NextStep("check_again", "Check again", "retry {retried_run}", "Check again: {command}", "primary")
READ_AGAIN = NextStep("read_again", "Check again", "{command}", "Check again: {command}")
REQUEST_AGAIN = replace(TRY_AGAIN, command="{command}")
ASK_AGAIN = NextStep("ask_again", "Ask again", "accept {run}", "Ask again to accept {host} as manager", "primary")
SHOW_NODES = NextStep("show_nodes", "Show nodes", "nodes", "Show the swarm's nodes")
START_CONTAINERS = NextStep(
    "start_containers", "Start containers", "start {host} {containers}", "Start the containers on {host}"
)
RETIRE = NextStep(
    "retire", "Retire store", "retire {host}", "Retire {store} on {host}", "danger",
    "Imker stops {store} on {host}, and asks before it removes it.",
)  # fmt: skip
MIGRATE = NextStep(
    "migrate", "Migrate", "{migrate}", "Migrate {host}", "primary",
    "Imker plans again from the current state of {host} and runs the steps.",
)  # fmt: skip
TABLE: dict[Situation, tuple[NextStep, ...]] = {
    "accept": (
        _answer("Accept", "accept", "Accept {host} as manager", "primary"),
        _answer("Reject", "reject", "Reject {host} as manager", "danger"),  # its form asks for a reason, and confirms
    ),
    "continue": (_answer("Continue", "continue", "Continue despite the warnings: {command}", "primary"), CANCEL),
    "start": (_answer("Start", "continue", "Start: {command}", "primary"), CANCEL),
    "start_fleet": (_answer("Start", "start", "Start: {command}", "primary"), CANCEL),
    "resume": (_answer("Resume", "continue", "Resume: {command}", "primary"), replace(CANCEL, style="danger")),
    "start_containers": (
        _answer("Try again", "continue", "Start the containers on {host} again", "primary"),
        _answer("Keep stopped", "cancel", "Keep the containers on {host} stopped"),
    ),
    "stop_store": (
        replace(
            _answer("Stop", "continue", "Stop {store} on {host}", "danger"),
            confirm="This stops {store} on {host}. Its data is kept.",
        ),
        _answer("Keep", "cancel", "Keep {store} on {host} running"),
    ),
    "remove_store": (
        replace(
            _answer("Remove", "continue", "Remove {store} on {host}", "danger"),
            confirm="This removes the container {store} on {host}. Its volumes are kept.",
        ),
        _answer("Keep", "cancel", "Keep {store} on {host}"),
    ),
    "decided": (SHOW_DETAILS,),
    "expired": (ASK_AGAIN,),
    "running_change": (CANCEL_RUN, PAUSE, SHOW_DETAILS),
    "running_read": (SHOW_DETAILS,),
    "running_fleet": (CANCEL_RUN, PAUSE, SHOW_DETAILS),
    "paused_fleet": (RESUME_FLEET, CANCEL_RUN, SHOW_DETAILS),
    "open_fleet": (SHOW_DETAILS,),
    "planned": (MIGRATE,),
    "blocked": (READ_AGAIN,),
    "read": (READ_AGAIN,),
    "changed": (SHOW_NODES,),
    "kept_stopped": (START_CONTAINERS, SHOW_NODES),
    "kept_store": (RETIRE, SHOW_NODES),
    "refused": (CHECK_AGAIN,),
    "stopped": (TRY_AGAIN,),
    "never_started": (REQUEST_AGAIN,),
    "service": (READ_AGAIN, RESTART, SCALE_UP),
    "unhealthy_service": (READ_AGAIN, ROLL_BACK, RESTART, SCALE_UP),
    "global_service": (READ_AGAIN, RESTART),
    "service_changed": (SHOW_SERVICE,),
}
DECLINED: dict[Question, Situation] = {  # questions after which the run is done, whatever the answer
    "start_containers": "kept_stopped", "stop_store": "kept_store", "remove_store": "kept_store",
}  # fmt: skip
SUGGESTIONS: dict[str, NextStep] = {  # by the type of a command that an outcome suggests
    "accept": NextStep("accept_node", "Accept", "", "Ask to accept the node as manager"),
    "reject": NextStep(
        "reject_node", "Keep as worker", "", "Keep the node as worker", "danger", "The node stays a worker."
    ),
    "migrate": NextStep("migrate", "Migrate", "", "Migrate: {suggested}", "primary", "Imker runs “{suggested}”."),
    "migrate_all": NextStep("migrate_others", "Plan the others", "", "Plan the migration of the other hosts"),
    "plan": NextStep("show_plan", "Show plan", "", "Show plan: {suggested}"),
    "start": NextStep("start_containers", "Start containers", "", "Start containers: {suggested}"),
    "retire": NextStep(
        "retire", "Retire store", "", "Retire store: {suggested}", "danger", "Imker runs “{suggested}”."
    ),
    "drain": NextStep("drain", "Drain", "", "Drain: {suggested}"),
    "activate": NextStep("activate", "Activate", "", "Activate: {suggested}", "", "Imker runs “{suggested}”."),
    "promote": NextStep("promote", "Promote", "", "Promote: {suggested}"),
    "demote": NextStep("demote", "Demote", "", "Demote: {suggested}"),
    "remove": NextStep(
        "remove_node",
        "Remove node",
        "",
        "Remove the node: {suggested}",
        "danger",
        "Imker plans “{suggested}” and asks before it starts.",
    ),
    "upgrade": NextStep("upgrade", "Upgrade", "", "Upgrade: {suggested}", "primary", "Imker runs “{suggested}”."),
    "upgrade_all": NextStep("upgrade_all", "Plan the upgrade", "", "Plan the upgrade: {suggested}"),
    "hosts": NextStep("show_hosts", "Show hosts", "", "Show hosts"),
    "nodes": SHOW_NODES,
    "services": NextStep("show_services", "Show services", "", "Show services"),
    "service": NextStep("show_service", "Show service", "", "Show service: {suggested}"),
    "rollback": NextStep("roll_back", "Roll back", "", "Roll back: {suggested}", "danger"),
    "status": NextStep("show_status", "Show runs", "", "Show runs: {suggested}"),
    "resume": NextStep("resume_fleet", "Resume all", "", "Resume all hosts", "primary"),
}


def next_steps(state: RunState, fleet: FleetState | None) -> tuple[NextStep, ...]:
    """Return the steps for the run's current state, and those that its outcome suggests."""
    fields = _fields(state)
    steps = [_fill(row, fields) for row in TABLE[situation(state, fleet)]]
    end = fleet_state.outcome(fleet) if fleet else state.outcome if state.status == "finished" else None
    suggested = filter(None, map(_suggestion, end.next_commands if end else ()))
    commands, names = ({getattr(step, name) for step in steps} for name in ("command", "name"))
    additional = {step.name: step for step in suggested if step.command not in commands and step.name not in names}
    return (*steps, *additional.values())


def situation(state: RunState, fleet: FleetState | None) -> Situation:
    """Return which row of the table applies."""
    if fleet and fleet.start:
        return _fleet_situation(fleet)
    match state.status:
        case "queued" | "running":
            return "running_change" if changes_host(state.record.command) else "running_read"
        case "waiting":
            return _waiting_situation(state)
        case "lost":
            is_expired = latest_started_step(state) is None and state.now > state.record.expires
            return "never_started" if is_expired else "stopped"
        case "finished":
            return _end_situation(state, state.outcome)


def _fleet_situation(fleet: FleetState) -> Situation:
    match fleet_state.fleet_status(fleet):
        case "finished":
            end = fleet_state.outcome(fleet)
            return "changed" if end is None or end.outcome in ("done", "unchanged") else "stopped"
        case "paused":
            return "paused_fleet"
        case "unaccepted":
            return "open_fleet"
        case _ if fleet.is_held("cancel"):
            return "open_fleet"
        case _:
            return "paused_fleet" if fleet.is_held("pause") else "running_fleet"


def _waiting_situation(state: RunState) -> Situation:
    if state.question is None or current_decision(state):
        return "decided"
    return "expired" if state.expired else state.question.question


def _end_situation(state: RunState, end: JobFinished | None) -> Situation:
    is_read = state.record.command.queue == READS_QUEUE
    if end is None:
        return DECLINED.get(state.question.question, "stopped") if state.question else "stopped"
    if end.outcome == "done" and isinstance(state.record.command, PlanHost):
        return "blocked" if any(finding.level == "block" for finding in state.findings) else "planned"
    if is_read and state.fleet is None:
        return service_situation(state.service.service) if state.service else "read"
    if end.outcome in ("done", "unchanged"):
        return "changed" if command_services(state.record.command) is None else "service_changed"
    return "refused" if end.outcome == "refused" else "stopped"


def _fields(state: RunState) -> dict[str, str]:
    record, question = state.record, state.question
    command = record.command
    host = str((question and question.host) or getattr(command, "host", ""))
    migrate = Migrate(command.host, command.role, command.docker_group) if isinstance(command, PlanHost) else None
    return {
        "run": record.run,
        "retried_run": record.parent_run or record.run,
        "command": command.text,
        "host": host or "the node",
        "containers": " ".join(question.names) if question else "",
        "store": (question.names[0] if question and question.names else "") or "the key-value store",
        "migrate": migrate.text if migrate else "",
        "service": state.service.service.name if state.service else next(iter(command_services(command) or ()), ""),
        "one_more": str(state.service.service.desired + 1) if state.service else "",
    }


def _suggestion(suggested: NextCommand) -> NextStep | None:
    """Return the step for a command that an outcome suggests, None if it has a placeholder or no button."""
    command = suggested.command
    row = SUGGESTIONS.get(command.name if isinstance(command, BotCommand) else command.type)
    if row is None or "HOST" in command.text.split():
        return None
    return _fill(replace(row, command="{suggested}"), {"suggested": command.text})


def _fill(row: NextStep, fields: dict[str, str]) -> NextStep:
    texts = {name: getattr(row, name).format(**fields) for name in ("command", "description", "confirm")}
    return replace(row, **texts)
