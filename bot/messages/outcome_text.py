"""Describe how a run ended, in which state it left the host, and what to type next. Pure."""

from dataclasses import replace

from bot.messages.escape import escape_mrkdwn
from bot.state.run_state import RunState, latest_started_step
from imker.protocol.events import JobFinished


def outcome(view: RunState) -> JobFinished:
    """The last word of a run that is over, and what its job left unsaid: how things were left, what to type next."""
    if view.outcome is None:
        return _outcome_of_no(view)
    if view.outcome.outcome in ("done", "unchanged"):
        return view.outcome
    hint = view.outcome.hint if "/swarm" in view.outcome.hint else f"{view.outcome.hint} {retry_hint(view)}".lstrip()
    return replace(view.outcome, state=view.outcome.state or progress_text(view), hint=hint)


def _outcome_of_no(view: RunState) -> JobFinished:
    """Somebody said no to what it asked."""
    waiting = view.question
    if waiting and waiting.question == "start_containers":
        names = " ".join(waiting.names)
        return JobFinished(
            "done", "", f"On {waiting.host} these do not run: {names}.", f"/swarm start {waiting.host} {names}"
        )
    if waiting and waiting.question == "stop_store":
        return JobFinished("done", "", f"It runs on {waiting.host}.", f"/swarm retire {waiting.host} stops it.")
    if waiting and waiting.question == "remove_store":
        return JobFinished("done", "", f"It is stopped on {waiting.host}.", f"/swarm retire {waiting.host} removes it.")
    return JobFinished("cancelled", "", progress_text(view), retry_hint(view))


def progress_text(view: RunState) -> str:
    """In what state things were left, as far as its steps tell: a job tells each before it begins it."""
    if latest_started_step(view) is None and view.other_protocol is None and not view.has_unsigned_entries:
        return "Nothing was changed."
    done_count = sum(step.status == "done" for step in view.steps)
    return f"{done_count} of {len(view.steps)} steps were done; what was done stays done."


def retry_hint(view: RunState) -> str:
    return f"/swarm retry {view.record.parent_run or view.record.run} does only what is left, by a new plan."


def lost_text(view: RunState) -> str:
    retry_command = f"`{escape_mrkdwn(f'/swarm {view.record.command_text}')}`"
    if view.other_protocol is not None or view.has_unsigned_entries:
        return f"How it ended cannot be read here. What was done stays done.\n{retry_command} does only what is left."
    step = latest_started_step(view)
    if step is None and view.now > view.record.expires:
        return f"Nothing was begun within a day, and nothing is any more.\n{retry_command} asks anew."
    position = f"after “{escape_mrkdwn(step.title)}” began" if step else "before its first step"
    return (
        f"RQ reports that the job failed {position}; what was done stays done, and what ran on the host may have gone on. "
        f"If the job still ends, this message will say how.\n"
        f"{retry_command} plans from what is true then, and does only what is left."
    )


def run_lost_text(text: str) -> str:
    """`text`: what was asked, escaped."""
    return (
        "Redis has lost its data, and with it this run. What was begun on a host may still go on there; nothing begins "
        f"again by itself.\n`/swarm {text}` plans from what is true then, and does only what is left."
    )
