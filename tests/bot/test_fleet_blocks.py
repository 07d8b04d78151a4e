"""A fleet's one message as people read it: the plan with its findings before the start, then a row a host."""

import pytest
from hypothesis import given

from bot import fleet_blocks
from bot.fleet import FleetView
from jobs.contract import Finding
from lab.slack.blocks import problems
from tests.bot.fleets import WARNING, Word, fleet, leg
from tests.bot.test_fleet import any_fleet

HOSTILE = "<!channel> *x* `y`"


def rows(view: FleetView) -> list[list[str]]:
    """The table's cells, without its header."""
    (table,) = [block for block in fleet_blocks.render(view).blocks if block["type"] == "table"]
    return [[cell["text"].strip() for cell in row] for row in table["rows"][1:]]


def words(view: FleetView) -> str:
    """All sections and contexts."""
    blocks = fleet_blocks.render(view).blocks
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    texts += [element["text"] for block in blocks if block["type"] == "context" for element in block["elements"]]
    return "\n".join(texts)


def buttons(view: FleetView) -> list[str]:
    rows = [block["elements"] for block in fleet_blocks.render(view).blocks if block["type"] == "actions"]
    return [element["text"]["text"] for row in rows for element in row]


PLANNED = fleet(
    [(leg("connewitz", "manager"), "ahead"), (leg("tondi", "worker", 1, WARNING), "ahead")],
    started=False, done=("kaditz",), findings=(Finding("managers", "warn", "2 managers: even", "Name one more."),),
)  # fmt: skip


def test_the_plan_its_findings_and_the_question() -> None:
    assert rows(PLANNED) == [
        ["1", "connewitz", "manager", "2", "none", "1 manager: none may fail"],
        ["2", "tondi", "worker", "2", "1 warn", "1 manager: none may fail"],
        ["", "kaditz", "", "0", "nothing to do", ""],
    ]
    said = words(PLANNED)
    assert "*Migrate the whole fleet*  planned: start?, 0 of 2 hosts" in said
    assert "*tondi* ⚠️ *disk*: less than 2 GB left. Make room." in said
    assert "⚠️ *managers*: 2 managers: even. Name one more." in said
    assert buttons(PLANNED) == ["Start", "Cancel"]


def test_blocks_and_warnings_are_counted_apart() -> None:
    block = Finding("disk", "block", "full", "Make room.")
    ((_, _, _, _, alarm, _),) = rows(fleet([(leg("a", "worker", 0, block, WARNING, block), "ahead")], started=False))
    assert alarm == "2 block, 1 warn"


RUNNING: list[tuple[Word, list[str]]] = [
    ("ahead", ["not yet", "", "", ""]),
    ("queued", ["going on", "", "", "run-a"]),
    ("going", ["going on", "Upgrade the Engine", "", "run-a"]),
    ("continue", ["has a question", "", "", "run-a"]),
    ("pending", ["waits to be accepted", "", "", "run-a"]),
    ("done", ["in the swarm", "", "12 s", "run-a"]),
    ("store", ["in the swarm", "", "", "run-a"]),
    ("failed", ["failed", "Upgrade the Engine", "6 s", "run-a"]),
    ("lost", ["failed", "Upgrade the Engine", "", "run-a"]),
    ("cancelled", ["cancelled", "Upgrade the Engine", "5 s", "run-a"]),
]


@pytest.mark.parametrize(("word", "wanted"), RUNNING)
def test_a_row_says_how_far_its_host_is(word: Word, wanted: list[str]) -> None:
    assert rows(fleet([(leg("a"), word)])) == [["a", "worker", *wanted]]


HEADS: list[tuple[tuple[Word, ...], str, str]] = [
    (("done", "going"), "", "🐝 *Migrate the whole fleet*  going on, 1 of 2 hosts"),
    (("done", "resume"), "pause", "⏸️ *Migrate the whole fleet*  paused, 1 of 2 hosts"),
    (("done", "continue"), "", "✋ *Migrate the whole fleet*  a host has a question, 1 of 2 hosts"),
    (("pending", "done"), "", "✋ *Migrate the whole fleet*  all moved; managers wait to be accepted, 2 of 2 hosts"),
    (("done", "done"), "", "✅ *Migrate the whole fleet*  done, 2 of 2 hosts"),
    (("done", "failed"), "", "❌ *Migrate the whole fleet*  failed, 1 of 2 hosts"),
    (("pending", "failed"), "", "❌ *Migrate the whole fleet*  failed, 1 of 2 hosts"),
    (("done", "cancelled"), "", "🚫 *Migrate the whole fleet*  cancelled, 1 of 2 hosts"),
]


@pytest.mark.parametrize(("state", "hold", "head"), HEADS)
def test_the_headline(state: tuple[Word, ...], hold: str, head: str) -> None:
    view = fleet([(leg(f"h{n}", wave=n), word) for n, word in enumerate(state)], hold=hold)
    assert head in words(view)
    assert buttons(view) == [], "the hosts' own messages ask"


def test_who_started_and_who_holds_are_named() -> None:
    said = words(fleet([(leg("a"), "resume")], hold="pause"))
    assert "Started by <@U02BOB>" in said
    assert "Paused by <@U02BOB>" in said


def test_the_end_says_what_is_left_and_what_to_type() -> None:
    said = words(fleet([(leg("a"), "failed"), (leg("b", wave=1), "ahead")]))
    assert "a: apt-get install failed" in said
    assert "In the swarm: none. Not begun: b." in said
    assert "/swarm retry" in said


@given(any_fleet())
def test_slack_takes_it_whatever_it_shows_and_the_text_has_every_host(view: FleetView) -> None:
    message = fleet_blocks.render(view)
    assert problems(list(message.blocks)) == []
    assert all(one.leg.host in message.text for one in view.legs)


def test_a_hosts_words_ping_nobody() -> None:
    view = fleet([(leg(HOSTILE, "worker", 0, Finding(HOSTILE, "block", HOSTILE, HOSTILE)), "ahead")], started=False)
    message = fleet_blocks.render(view)
    assert "<!channel>" not in message.text
    assert "<!channel>" not in words(view)


def test_a_fleet_of_hundreds_fits() -> None:
    many = fleet([(leg(f"host-{n:03}", "worker", n, WARNING), "ahead") for n in range(300)], started=False)
    message = fleet_blocks.render(many)
    assert problems(list(message.blocks)) == []
    assert "and 260 more" in message.text
