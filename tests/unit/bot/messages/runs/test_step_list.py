"""Test that completed steps and passed checks are folded away, and that durations are worth reading."""

from typing import Any

from bot.messages.block_kit import Message, without_containers
from bot.messages.runs import run_message
from bot.state.run_state import RunState
from imker.protocol.events import JobFinished, JobStarted, Planned, StepDone, StepStarted
from imker.protocol.values import Finding, StepLine
from lab.slack.validate_message import find_problems
from tests.unit.bot.messages.runs.test_headline import HALF, STEPS, WHOLE, run

CHECKS = tuple(Finding(f"check {n}", "pass", "fine") for n in range(29))


def blocks(message: Message, kind: str) -> list[dict[str, Any]]:
    return [block for block in message.blocks if block["type"] == kind]


def finished() -> RunState:
    steps = tuple(StepLine(f"s{n}", f"Step {n}", "its detail") for n in range(8))
    bodies = [body for step in steps for body in (StepStarted(step.key), StepDone(step.key, "its note"))]
    end = JobFinished("done", "tondi joined the swarm.")
    return run(JobStarted("tondi"), Planned(steps, CHECKS), *bodies, end)


def test_folds_completed_steps_while_it_runs() -> None:
    message = run_message.render(run(*HALF, rq="running"))
    (folded,), (plan,) = blocks(message, "container"), blocks(message, "plan")
    assert (folded["title"]["text"], folded["default_collapsed"]) == ("✓ 1 of 3 steps done", True)
    assert [task["title"] for task in plan["tasks"]] == ["Upgrade the Engine", "Join"]
    assert "complete: Drain" in message.text


def test_folds_all_steps_of_a_finished_run() -> None:
    message = run_message.render(run(*WHOLE, JobFinished("done", "tondi joined the swarm.")))
    (folded,) = blocks(message, "container")
    assert folded["title"]["text"] == "✓ 3 of 3 steps done"
    assert blocks(message, "plan") == []


def test_a_finished_migration_has_ten_lines_at_most() -> None:
    """A container is one line while it is collapsed."""
    message = run_message.render(finished())
    lines = [line for block in message.blocks for line in block.get("text", {"text": "one"})["text"].splitlines()]
    assert len(lines) <= 10
    assert find_problems(list(message.blocks)) == []


def test_shows_no_duration_below_a_second() -> None:
    fast = run_message.render(run(*WHOLE, JobFinished("done", "x"), unit=0.1))
    slow = run_message.render(run(*WHOLE, JobFinished("done", "x"), unit=2.0))
    assert "0 s" not in str(blocks(fast, "container"))
    assert "(2 s)" in str(blocks(slow, "container"))


def test_25_long_steps_fit_into_the_container() -> None:
    steps = tuple(StepLine(f"s{n}", "T" * 200, "D" * 500) for n in range(25))
    bodies = [body for step in steps for body in (StepStarted(step.key), StepDone(step.key, "N" * 500))]
    message = run_message.render(run(JobStarted(), Planned(steps), *bodies, rq="running"))
    assert find_problems(list(message.blocks)) == []


def test_unfolds_containers_for_a_workspace_without_them() -> None:
    message = without_containers(run_message.render(finished()))
    assert blocks(message, "container") == []
    assert find_problems(list(message.blocks)) == []
    assert "check 28" in str(message.blocks)
    assert len(STEPS) < len(message.blocks)
