"""A fleet's one message as people read it: the plan with its findings before the start, then a row a host."""

import pytest
from hypothesis import given

from bot.messages import fleet_message
from bot.state.fleet_state import FleetState
from imker.protocol.values import Finding
from lab.slack.validate_message import find_problems
from tests.support.fleet_states import WARNING, Word, build_fleet, host_plan
from tests.unit.bot.state.test_fleet_state import any_fleet

HOSTILE = "<!channel> *x* `y`"


def rows(view: FleetState) -> list[list[str]]:
    """The table's cells, without its header."""
    (table,) = [block for block in fleet_message.render(view).blocks if block["type"] == "table"]
    return [[cell["text"].strip() for cell in row] for row in table["rows"][1:]]


def words(view: FleetState) -> str:
    """All sections and contexts."""
    blocks = fleet_message.render(view).blocks
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    texts += [element["text"] for block in blocks if block["type"] == "context" for element in block["elements"]]
    return "\n".join(texts)


def buttons(view: FleetState) -> list[str]:
    rows = [block["elements"] for block in fleet_message.render(view).blocks if block["type"] == "actions"]
    return [element["text"]["text"] for row in rows for element in row]


PLANNED = build_fleet(
    [(host_plan("connewitz", "manager"), "pending"), (host_plan("tondi", "worker", 1, WARNING), "pending")],
    started=False, result=("kaditz",), findings=(Finding("managers", "warn", "2 managers: even", "Name one more."),),
)  # fmt: skip


def test_the_plan_its_findings_and_the_question() -> None:
    assert rows(PLANNED) == [
        ["1", "connewitz", "manager", "2", "none", "1 manager: none may fail"],
        ["2", "tondi", "worker", "2", "1 warn", "1 manager: none may fail"],
        ["", "kaditz", "", "0", "nothing to do", ""],
    ]
    text = words(PLANNED)
    assert "*Migrate the whole fleet*  planned: start?, 0 of 2 hosts" in text
    assert "*tondi* ⚠️ *disk*: less than 2 GB left. Make room." in text
    assert "⚠️ *managers*: 2 managers: even. Name one more." in text
    assert buttons(PLANNED) == ["Start", "Cancel"]


def test_blocks_and_warnings_are_counted_apart() -> None:
    block = Finding("disk", "block", "full", "Make room.")
    ((_, _, _, _, alarm, _),) = rows(
        build_fleet([(host_plan("a", "worker", 0, block, WARNING, block), "pending")], started=False)
    )
    assert alarm == "2 block, 1 warn"


RUNNING: list[tuple[Word, list[str]]] = [
    ("pending", ["not yet", "", "", ""]),
    ("queued", ["going on", "", "", "run-a"]),
    ("running", ["going on", "Upgrade the Engine", "", "run-a"]),
    ("continue", ["has a question", "", "", "run-a"]),
    ("accept", ["waits to be accepted", "", "", "run-a"]),
    ("done", ["in the swarm", "", "12 s", "run-a"]),
    ("store", ["in the swarm", "", "", "run-a"]),
    ("failed", ["failed", "Upgrade the Engine", "6 s", "run-a"]),
    ("lost", ["failed", "Upgrade the Engine", "", "run-a"]),
    ("cancelled", ["cancelled", "Upgrade the Engine", "5 s", "run-a"]),
]


@pytest.mark.parametrize(("word", "expected"), RUNNING)
def test_a_row_says_how_far_its_host_is(word: Word, expected: list[str]) -> None:
    assert rows(build_fleet([(host_plan("a"), word)])) == [["a", "worker", *expected]]


HEADS: list[tuple[tuple[Word, ...], str, str]] = [
    (("done", "running"), "", "🐝 *Migrate the whole fleet*  going on, 1 of 2 hosts"),
    (("done", "resume"), "pause", "⏸️ *Migrate the whole fleet*  paused, 1 of 2 hosts"),
    (("done", "continue"), "", "✋ *Migrate the whole fleet*  a host has a question, 1 of 2 hosts"),
    (("accept", "done"), "", "✋ *Migrate the whole fleet*  all moved; managers wait to be accepted, 2 of 2 hosts"),
    (("done", "done"), "", "✅ *Migrate the whole fleet*  done, 2 of 2 hosts"),
    (("done", "failed"), "", "❌ *Migrate the whole fleet*  failed, 1 of 2 hosts"),
    (("accept", "failed"), "", "❌ *Migrate the whole fleet*  failed, 1 of 2 hosts"),
    (("done", "cancelled"), "", "🚫 *Migrate the whole fleet*  cancelled, 1 of 2 hosts"),
]


@pytest.mark.parametrize(("state", "hold", "head"), HEADS)
def test_the_headline(state: tuple[Word, ...], hold: str, head: str) -> None:
    view = build_fleet([(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(state)], hold=hold)
    assert head in words(view)
    assert buttons(view) == [], "the hosts' own messages ask"


def test_who_started_and_who_holds_are_named() -> None:
    text = words(build_fleet([(host_plan("a"), "resume")], hold="pause"))
    assert "Started by <@U02BOB>" in text
    assert "Paused by <@U02BOB>" in text


def test_the_end_says_what_is_left_and_what_to_type() -> None:
    text = words(build_fleet([(host_plan("a"), "failed"), (host_plan("b", wave=1), "pending")]))
    assert "a: apt-get install failed" in text
    assert "In the swarm: none. Not begun: b." in text
    assert "/swarm retry" in text


@given(any_fleet())
def test_slack_takes_it_whatever_it_shows_and_the_text_has_every_host(view: FleetState) -> None:
    message = fleet_message.render(view)
    assert find_problems(list(message.blocks)) == []
    assert all(leg.plan.host in message.text for leg in view.hosts)


def test_a_hosts_words_ping_nobody() -> None:
    view = build_fleet(
        [(host_plan(HOSTILE, "worker", 0, Finding(HOSTILE, "block", HOSTILE, HOSTILE)), "pending")], started=False
    )
    message = fleet_message.render(view)
    assert "<!channel>" not in message.text
    assert "<!channel>" not in words(view)


def test_a_fleet_of_hundreds_fits() -> None:
    many = build_fleet([(host_plan(f"host-{n:03}", "worker", n, WARNING), "pending") for n in range(300)], started=False)
    message = fleet_message.render(many)
    assert find_problems(list(message.blocks)) == []
    assert "and 260 more" in message.text
