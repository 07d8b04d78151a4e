"""Describe how a run ended, in which state it left the host, and what to type next. Pure."""

from dataclasses import replace

from bot.messages.escape import escape_mrkdwn, inline_code
from bot.messages.next_command import REPLANS, next_step_text
from bot.state.run_state import RunState, latest_started_step
from imker.protocol.commands import RetireStore, StartContainers
from imker.protocol.events import DecisionRequested, JobFinished, Outcome
from imker.protocol.next_command import BotCommand, NextCommand

IF_IT_ENDS = "If the job ends after all, this message is updated."


def outcome(state: RunState) -> JobFinished:
    """Return how a finished run ended, with the state and the next command filled in where the job gave none."""
    if state.outcome is None:
        return _declined_outcome(state, state.question)
    if state.outcome.outcome in ("done", "unchanged"):
        return state.outcome
    next_commands = state.outcome.next_commands or (_retry_command(state),)
    return replace(state.outcome, state=state.outcome.state or progress_text(state), next_commands=next_commands)


def _declined_outcome(state: RunState, question: DecisionRequested | None) -> JobFinished:
    """Return the outcome of a run whose question was answered with "cancel"."""
    host = question.host if question else ""
    match question.question if question else "":
        case "start_containers":
            names = question.names if question else ()
            state_text = f"These containers on {host} are not running: {', '.join(names)}."
            return _end_with("done", state_text, NextCommand(StartContainers(host, names), "start them"))
        case "stop_store":
            state_text = f"The key-value store on {host} is running."
            return _end_with("done", state_text, NextCommand(RetireStore(host), "stop it"))
        case "remove_store":
            state_text = f"The key-value store on {host} is stopped. Its data is kept."
            return _end_with("done", state_text, NextCommand(RetireStore(host), "remove it"))
    return _end_with("cancelled", progress_text(state), _retry_command(state))


def _end_with(outcome: Outcome, state_text: str, next_command: NextCommand) -> JobFinished:
    return JobFinished(outcome, "", state_text, next_commands=(next_command,))


def progress_text(state: RunState) -> str:
    """Return how many steps were completed. A job reports each step before it starts it."""
    if latest_started_step(state) is None and state.other_protocol is None and not state.has_unsigned_entries:
        return "Nothing was changed."
    done_count = sum(step.status == "done" for step in state.steps)
    return f"{done_count} of {len(state.steps)} steps completed. Completed steps are kept."


def _retry_command(state: RunState) -> NextCommand:
    """Return the command that runs what remains: of the whole fleet, if the run belongs to one."""
    return NextCommand(BotCommand("retry", state.record.parent_run or state.record.run))


def lost_text(state: RunState) -> str:
    """Describe a run whose job ended without reporting an outcome."""
    retry = next_step_text("", (_retry_command(state),))
    if state.other_protocol is not None or state.has_unsigned_entries:
        return f"This run's outcome cannot be read. Completed steps are kept.\n{retry}"
    step = latest_started_step(state)
    if step is None and state.now > state.record.expires:
        again = f"To request it again, run {inline_code(f'/swarm {state.record.command_text}')}."
        return f"Expired: the job didn't start within 24 hours. Nothing was changed.\n{again}"
    if step is None:
        return f"The RQ worker stopped before the first step. {IF_IT_ENDS}\n{retry}"
    return (
        f"The RQ worker stopped during “{escape_mrkdwn(step.title)}”. Completed steps are kept; the current step may "
        f"still be running on the host. {IF_IT_ENDS}\n{retry}"
    )


def run_lost_text(command_text: str) -> str:
    """Describe a run that Redis has lost. `command_text`: the requested command."""
    return (
        "Redis lost its data, including this run. Steps that already started may still be running on the host. Nothing "
        f"restarts automatically.\nRun {inline_code(f'/swarm {command_text}')}: {REPLANS}"
    )
