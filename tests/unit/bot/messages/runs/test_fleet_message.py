"""Test a fleet's message: the plan with its findings before the start, then one row per host."""

import pytest
from hypothesis import given

from bot.messages.runs import fleet_message
from bot.state.fleet_state import FleetState
from imker.protocol.values import Finding
from lab.slack.validate_message import find_problems
from tests.support.fleet_states import WARNING, Word, build_fleet, host_plan
from tests.unit.bot.state.test_fleet_state import any_fleet

HOSTILE = "<!channel> *x* `y`"


def rows(fleet: FleetState) -> list[list[str]]:
    """Return the table's cells without its header."""
    (table,) = [block for block in fleet_message.render(fleet).blocks if block["type"] == "table"]
    return [[cell["text"].strip() for cell in row] for row in table["rows"][1:]]


def words(fleet: FleetState) -> str:
    """Return the text of all sections and contexts."""
    blocks = fleet_message.render(fleet).blocks
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    texts += [element["text"] for block in blocks if block["type"] == "context" for element in block["elements"]]
    return "\n".join(texts)


def buttons(fleet: FleetState) -> list[str]:
    rows = [block["elements"] for block in fleet_message.render(fleet).blocks if block["type"] == "actions"]
    return [element["text"]["text"] for row in rows for element in row]


PLANNED = build_fleet(
    [(host_plan("connewitz", "manager"), "pending"), (host_plan("tondi", "worker", 1, WARNING), "pending")],
    started=False, result=("kaditz",), findings=(Finding("managers", "warn", "2 managers: even", "Name one more."),),
)  # fmt: skip


def test_shows_the_plan_its_findings_and_the_question() -> None:
    assert rows(PLANNED) == [
        ["1", "connewitz", "manager", "2", "none", "1 manager (survives no loss)"],
        ["2", "tondi", "worker", "2", "1 warning", "1 manager (survives no loss)"],
        ["", "kaditz", "", "0", "nothing to do", ""],
    ]
    text = words(PLANNED)
    assert "*Migrate the whole fleet*  planned: start? (2 hosts)" in text
    assert "*tondi* ⚠️ *disk*: less than 2 GB left. Make room." in text
    assert "⚠️ *managers*: 2 managers: even. Name one more." in text
    assert buttons(PLANNED) == ["Start", "Cancel"]


def test_counts_no_hosts_when_all_are_in_the_swarm() -> None:
    fleet = build_fleet([], started=False, result=("kaditz",))
    assert words(fleet).splitlines()[0] == "✅ *Migrate the whole fleet*  nothing to do"


@pytest.mark.parametrize(
    "state",
    [("done", "pending"), ("running", "pending"), ("done", "cancelled"), ("done", "done"), ("failed", "pending")],
)
def test_says_once_who_cancelled(state: tuple[Word, ...]) -> None:
    fleet = build_fleet([(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(state)], hold="cancel")
    assert words(fleet).lower().count("cancelled by <@u02bob>") == 1


def test_counts_blocks_and_warnings_separately() -> None:
    block = Finding("disk", "block", "full", "Make room.")
    ((_, _, _, _, counts, _),) = rows(
        build_fleet([(host_plan("a", "worker", 0, block, WARNING, block), "pending")], started=False)
    )
    assert counts == "2 to fix, 1 warning"


ROWS: list[tuple[Word, list[str]]] = [
    ("pending", ["pending", "", "", ""]),
    ("queued", ["running", "", "", "run-a"]),
    ("running", ["running", "Upgrade the Engine", "", "run-a"]),
    ("continue", ["waiting for input", "", "", "run-a"]),
    ("accept", ["waiting to be accepted", "", "", "run-a"]),
    ("done", ["done", "", "12 s", "run-a"]),
    ("store", ["done", "", "", "run-a"]),
    ("failed", ["failed", "Upgrade the Engine", "6 s", "run-a"]),
    ("lost", ["failed", "Upgrade the Engine", "", "run-a"]),
    ("cancelled", ["cancelled", "Upgrade the Engine", "5 s", "run-a"]),
]


@pytest.mark.parametrize(("word", "expected"), ROWS)
def test_shows_each_hosts_status_step_and_duration(word: Word, expected: list[str]) -> None:
    assert rows(build_fleet([(host_plan("a"), word)])) == [["a", "worker", *expected]]


HEADLINES: list[tuple[tuple[Word, ...], str, str, list[str]]] = [
    (("done", "running"), "", "🐝 *Migrate the whole fleet*  running, 1 of 2 hosts", ["Cancel"]),
    (("done", "resume"), "pause", "⏸️ *Migrate the whole fleet*  paused, 1 of 2 hosts", ["Resume", "Cancel"]),
    (("done", "continue"), "", "✋ *Migrate the whole fleet*  a host is waiting for input, 1 of 2 hosts", ["Cancel"]),
    (("accept", "done"), "", "✋ *Migrate the whole fleet*  done; managers are waiting to be accepted, 2 of 2", []),
    (("done", "done"), "", "✅ *2 hosts migrated: 0 managers, 2 workers*", ["Show nodes"]),
    (("done", "failed"), "", "❌ *Migrate the whole fleet*  failed, 1 of 2 hosts", ["Try again"]),
    (("accept", "failed"), "", "❌ *Migrate the whole fleet*  failed, 1 of 2 hosts", ["Try again"]),
    (("done", "cancelled"), "", "🚫 *Migrate the whole fleet*  cancelled, 1 of 2 hosts", ["Try again"]),
]


@pytest.mark.parametrize(("state", "hold", "headline", "offered"), HEADLINES)
def test_headline_and_buttons(state: tuple[Word, ...], hold: str, headline: str, offered: list[str]) -> None:
    fleet = build_fleet([(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(state)], hold=hold)
    assert headline in words(fleet)
    assert buttons(fleet) == offered, "the hosts' own messages have the buttons of their questions"


def test_names_who_started_and_who_paused() -> None:
    text = words(build_fleet([(host_plan("a"), "resume")], hold="pause"))
    assert "Started by <@U02BOB>" in text
    assert "Paused by <@U02BOB>" in text


def test_the_outcome_names_the_remaining_hosts_and_the_next_command() -> None:
    text = words(build_fleet([(host_plan("a"), "failed"), (host_plan("b", wave=1), "pending")]))
    assert "a: apt-get install failed" in text
    assert "In the swarm: none. Not started: b." in text
    assert "/swarm retry" in text


@given(any_fleet())
def test_slack_accepts_every_state_and_the_text_names_every_host(fleet: FleetState) -> None:
    message = fleet_message.render(fleet)
    assert find_problems(list(message.blocks)) == []
    assert all(host.plan.host in message.text for host in fleet.hosts)


def test_a_host_cannot_mention_users() -> None:
    fleet = build_fleet(
        [(host_plan(HOSTILE, "worker", 0, Finding(HOSTILE, "block", HOSTILE, HOSTILE)), "pending")], started=False
    )
    message = fleet_message.render(fleet)
    assert "<!channel>" not in message.text
    assert "<!channel>" not in words(fleet)


def test_a_fleet_of_300_hosts_fits() -> None:
    many = build_fleet(
        [(host_plan(f"host-{n:03}", "worker", n, WARNING), "pending") for n in range(300)], started=False
    )
    message = fleet_message.render(many)
    assert find_problems(list(message.blocks)) == []
    assert "and 260 more" in message.text
