"""Test that any events fold to one state in any order, and that Slack accepts every message rendered from it."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from bot.messages import tables
from bot.messages.runs import findings, run_message
from bot.records import Decision, RunRecord
from bot.state.run_state import fold
from imker.protocol import events, values
from imker.protocol.commands import Migrate
from imker.protocol.event_log import EventLog
from imker.protocol.events import Event, NodeTable
from imker.protocol.next_command import NextCommand
from imker.protocol.values import NodeRow
from lab.slack.validate_message import find_problems

HOSTILE = st.sampled_from(
    [
        "<!channel>",
        "<@U01ALICE>",
        "<!here|x>",
        "*bold*",
        "&lt;",
        "\x1b[31mred\x1b[0m",
        "\u202egnp",
        "```",
        "",
        "x" * 9000,
    ]
) | st.text(max_size=60)
KEYS = st.sampled_from(["a", "b", "c"])
LINES = st.builds(values.StepLine, KEYS, HOSTILE, HOSTILE)
FINDINGS = st.builds(values.Finding, HOSTILE, st.sampled_from(["pass", "warn", "block"]), HOSTILE, HOSTILE)
ROWS = st.builds(NodeRow, HOSTILE, st.booleans(), HOSTILE, st.just("Pending"), HOSTILE, HOSTILE, HOSTILE, HOSTILE)
CANDIDATES = st.builds(values.Candidate, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
OUTCOMES = st.sampled_from(["done", "failed", "rolled_back", "refused", "unchanged"])


def tuples(of: "st.SearchStrategy[object]", most: int) -> "st.SearchStrategy[tuple[object, ...]]":
    return st.lists(of, max_size=most).map(tuple)


BODIES = st.one_of(
    st.builds(events.JobStarted, HOSTILE),
    st.builds(events.Planned, tuples(LINES, 60), tuples(FINDINGS, 15), HOSTILE),
    st.builds(events.StepStarted, KEYS),
    st.builds(events.StepProgress, KEYS, HOSTILE),
    st.builds(events.StepDone, KEYS, HOSTILE),
    st.builds(events.StepFailed, KEYS, HOSTILE),
    st.builds(events.ThreadDetail, HOSTILE, HOSTILE),
    st.builds(NodeTable, HOSTILE, st.floats(0, 2e9), tuples(ROWS, 5), HOSTILE),
    st.builds(
        events.DecisionRequested, st.just("accept"), st.just("f"), CANDIDATES, st.just(values.Quorum(1, 0, 2, 0))
    ),
    st.builds(events.JobFinished, OUTCOMES, HOSTILE, HOSTILE, HOSTILE),
)  # fmt: skip
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U01ALICE", "C01OPS", 1_795_440_000.0)
STATUSES = st.sampled_from(["queued", "running", "finished", "lost"])


def mrkdwn(value: object) -> list[str]:
    """Return the texts in which Slack looks for mentions."""
    if isinstance(value, list):
        return [text for inner in value for text in mrkdwn(inner)]
    if not isinstance(value, dict):
        return []
    texts = [str(value["text"])] if value.get("type") == "mrkdwn" else []
    return texts + [text for inner in value.values() for text in mrkdwn(inner)]


def numbered(bodies: list[events.EventBody]) -> list[Event]:
    return [Event("k3fm9x2q", 1 + n // 8, 1 + n % 8, 1_795_440_000.0 + n, body) for n, body in enumerate(bodies)]


@given(st.lists(BODIES, max_size=16).map(numbered), STATUSES, st.data())
def test_ignores_order_and_repeats(events: list[Event], status: str, data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(events + events[: len(events) // 2]))
    assert fold(RECORD, EventLog(tuple(mixed)), status, 0.0) == fold(RECORD, EventLog(tuple(events)), status, 0.0)  # type: ignore[arg-type]


@given(st.lists(BODIES, max_size=16).map(numbered), STATUSES)
def test_slack_accepts_every_message_and_no_host_can_mention_users(events: list[Event], status: str) -> None:
    state = fold(RECORD, EventLog(tuple(events)), status, 1_795_440_060.0)  # type: ignore[arg-type]
    for message in (run_message.render(state), *(run_message.thread_detail(detail) for _, detail in state.details)):
        assert find_problems(list(message.blocks)) == []
        assert message.text
        assert len(message.text) < 40_000
        assert not re.findall(r"<[@!#][^>]*>", message.text)
        live = [tag for text in mrkdwn(list(message.blocks)) for tag in re.findall(r"<[@!#][^>]*>", text)]
        assert [tag for tag in live if not tag.startswith("<!date^")] in ([], ["<@U01ALICE>"]), (
            "only the requester is mentioned"
        )


def test_a_run_is_lost_if_its_job_crashed_and_finished_if_it_reported_an_outcome() -> None:
    started = numbered(
        [events.JobStarted(), events.Planned((values.StepLine("a", "Join the swarm"),)), events.StepStarted("a")]
    )
    assert fold(RECORD, EventLog(tuple(started)), "running", 0.0).status == "running"
    lost = fold(RECORD, EventLog(tuple(started)), "lost", 0.0)
    assert lost.status == "lost"
    text = run_message.render(lost).text
    assert "Join the swarm" in text
    assert "/swarm retry k3fm9x2q" in text
    assert (
        fold(RECORD, EventLog((*started, Event("r", 1, 9, 0.0, events.JobFinished("done", "x")))), "lost", 0.0).status
        == "finished"
    )


def test_a_cancelled_run_has_finished_and_names_the_user() -> None:
    record = RunRecord(**{**vars(RECORD), "decisions": (Decision(1, "cancel", "U01ALICE", 1_795_440_000.0),)})
    state = fold(
        record,
        EventLog(tuple(numbered([events.JobStarted(), events.DecisionRequested("continue", "f")]))),
        "finished",
        0.0,
    )
    message = run_message.render(state)
    assert state.status == "finished"
    assert "Cancelled by <@U01ALICE>" in json.dumps(message.blocks)
    (row,) = [block for block in message.blocks if block["type"] == "actions"]
    assert [button["text"]["text"] for button in row["elements"]] == ["Try again"]


def test_slack_accepts_tables_of_0_to_500_nodes() -> None:
    rows = tuple(
        NodeRow(f"{n:025}", n == 0, f"host{n}", "Accepted", "Ready", "Active", "", "26.1.5") for n in range(500)
    )
    for count in (0, 1, 99, 100, 500):
        state = fold(
            RECORD, EventLog((Event("r", 1, 1, 0.0, NodeTable("connewitz", 0.0, rows[:count])),)), "running", 0.0
        )
        assert find_problems(list(run_message.render(state).blocks)) == []
    table = tables.table_of(NodeTable("connewitz", 0.0, rows))
    assert len({row[0] for row in table.rows}) == 500, "shortened IDs stay distinct"
    assert tables.omitted_rows(table) > 0


def test_the_next_job_does_not_repeat_a_thread_detail() -> None:
    diff, other = events.ThreadDetail("kaditz: what changes", "- a"), events.ThreadDetail("apt on kaditz", "- a")
    numbered_details = [(1, 1, diff), (1, 2, other), (2, 1, diff)]
    state = fold(
        RECORD,
        EventLog(tuple([Event("k3fm9x2q", job, n, float(job), body) for job, n, body in numbered_details])),
        "running",
        3.0,
    )
    assert state.details == (("1-1", diff), ("1-2", other))


def test_shows_passed_checks_that_have_a_hint() -> None:
    add_user = NextCommand(Migrate("kaditz", docker_group=True), "add the user")
    note = values.Finding("docker group", "pass", "geschke is not in it", next_commands=(add_user,))
    warned = values.Finding("disk", "warn", "less than 2 GB left", "Make room.")
    block, folded = findings.render_findings((values.Finding("clock", "pass", "agrees with ours"), note, warned))
    assert block["text"]["text"].splitlines() == [
        "⚠️ *disk*: less than 2 GB left. Make room.",
        "ℹ️ *docker group*: geschke is not in it. To add the user, type `/swarm migrate kaditz --docker-group`.",
    ]
    assert folded["title"]["text"] == "✔️ 2 checks passed"
    assert folded["child_blocks"][0]["text"]["text"] == "clock, docker group"
