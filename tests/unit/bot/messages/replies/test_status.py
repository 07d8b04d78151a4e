"""Test `/swarm status`: the order of the list, and one run as its message shows it, without buttons."""

import pytest
from redis import Redis

from bot.records import Decision, RunRecord
from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, JobFinished, JobStarted
from imker.protocol.values import Candidate, Quorum
from lab.slack.validate_message import find_problems
from tests.support.bot_harness import IDS, NODE, OPS, TS, BotHarness, parse_settings_file

FILE = parse_settings_file("""
[slack]
channels = ["C01OPS", "C04LEI"]
[rights]
read = ["*"]
change = ["*"]
accept = ["*"]
""")


@pytest.fixture
def bench(redis: Redis) -> BotHarness:
    return BotHarness(redis, FILE)


def status_reply(bench: BotHarness, text: str, who: str = "carol") -> str:
    bench.types(who, text)
    assert find_problems(list(bench.replies[-1].blocks)) == []
    return bench.replies[-1].text


def emit_start(bench: BotHarness, run: str, host: str, of: str = "") -> None:
    record = RunRecord(run, Migrate(host), f"migrate {host}", IDS["alice"], OPS, bench.timestamp.unix, parent_run=of)
    bench.runs.start(record)
    bench.runs.posted_messages.update(run, ts=TS, channel=OPS)
    bench.emit(run, JobStarted(host))


def test_lists_a_fleet_with_the_status_of_its_message(bench: BotHarness) -> None:
    run = bench.create_run("fleet")
    assert "planned: start? (1 host)" in status_reply(bench, "status")
    bench.clicks("alice", f"{run}:1", "start")
    assert f"🐝 `{run}`  migrate all  <@U01ALICE>, 0 s ago  running, 0 of 1 hosts" in status_reply(bench, "status")
    assert "kaditz  worker  pending" in status_reply(bench, f"status {run}")


def test_lists_a_cancelled_fleet_as_cancelled(bench: BotHarness) -> None:
    run = bench.create_run("fleet")
    bench.clicks("bob", f"{run}:1", "cancel")
    assert f"🚫 `{run}`  migrate all  <@U01ALICE>, 0 s ago  cancelled (1 host)" in status_reply(bench, "status")
    reply = status_reply(bench, f"status {run}")
    assert "🚫 *Migrate the whole fleet*  cancelled" in reply
    assert f"Nothing was changed.\nRun `/swarm retry {run}`" in reply


@pytest.mark.parametrize("where", ["C01OPS", "C04LEI"])
def test_lists_waiting_runs_before_any_number_of_later_runs(bench: BotHarness, where: str) -> None:
    run = bench.create_run("pending")
    for _ in range(30):
        bench.advance_clock(1)
        bench.types("carol", "nodes", where)
        (later,) = {*bench.runs.open_runs()} - {run}
        bench.emit(later, JobStarted(), JobFinished("done", "3 nodes"))
        bench.runs.close(later)
    lines = status_reply(bench, "status").splitlines()
    assert run in lines[0]
    assert len(lines) == (12 if where == OPS else 1)


def test_counts_runs_that_do_not_fit(bench: BotHarness) -> None:
    for number in range(20):
        emit_start(bench, f"run{number:05}", "kaditz", of="fleetrun" if number else "")
        bench.advance_clock(1)
    lines = status_reply(bench, "status").splitlines()
    assert "run00000" in lines[0], "fleets and single hosts come before the hosts of a fleet"
    assert (len(lines), lines[-1]) == (17, "and 4 more")


ANSWERS = {
    "pending": ("Accept: `/swarm accept {run}`", "Reject: `/swarm reject {run}`"),
    "warned": ("Continue: `/swarm continue {run}`", "Cancel: `/swarm cancel {run}`"),
    "stop": ("Stop: `/swarm continue {run}`", "Keep: `/swarm cancel {run}`"),
    "store": ("Remove: `/swarm continue {run}`", "Keep: `/swarm cancel {run}`"),
    "fleet": ("Start: use the button in the run's message", "Cancel: `/swarm cancel {run}`"),
}


@pytest.mark.parametrize("state", ANSWERS)
def test_shows_commands_instead_of_buttons(bench: BotHarness, state: str) -> None:
    run = bench.create_run(state)
    text = status_reply(bench, f"status {run}")
    rendered = bench.replies[-1].blocks
    assert [block for block in rendered if block["type"] == "actions"] == []
    for answer in ANSWERS[state]:
        assert answer.format(run=run) in text
        assert answer.format(run=run) in str(rendered)


@pytest.mark.parametrize(("state", "verdict"), [("pending", "accept"), ("warned", "continue"), ("store", "cancel")])
def test_the_shown_command_does_what_the_button_does(bench: BotHarness, state: str, verdict: str) -> None:
    run = bench.create_run(state)
    bench.types("bob", f"{verdict} {run}")
    snapshot = bench.runs.snapshot(run)
    assert snapshot
    assert snapshot.record.decisions == (
        Decision(1, verdict, IDS["bob"], snapshot.record.decisions[0].decided_at, "f00d"),
    )  # type: ignore[arg-type]


def test_an_ambiguous_node_id_decides_nothing(bench: BotHarness) -> None:
    run = bench.create_run("pending")
    emit_start(bench, "zzzzzzzz", "tondi")
    other = Candidate("tondi", NODE[:6] + "x" * 19, "198.18.0.73", "tondi", "26.1.5")
    question = DecisionRequested(
        "accept", "f11d", other, Quorum(2, 0, 3, 1), host="tondi", asked_at=bench.timestamp, valid_seconds=1800.0
    )
    bench.emit("zzzzzzzz", question)
    before = list(bench.enqueued_requests())
    for verdict in ("accept", "reject"):
        reply = status_reply(bench, f"{verdict} {NODE[:6]}", "bob")
        assert reply.startswith(f"More than one run is waiting as `{NODE[:6]}`: ")
        assert f"`{run}` (migrate kaditz)" in reply
        assert "`zzzzzzzz` (migrate tondi)" in reply
    assert (list(bench.enqueued_requests()), bench.decision_keys()) == (before, set())
    bench.types("bob", f"accept {NODE[:7]}")
    assert bench.decision_keys() == {f"bot:run:{run}:decision:1"}


def test_a_node_id_means_the_latest_run_about_the_node(bench: BotHarness) -> None:
    first = bench.create_run("pending")
    bench.advance_clock(60)
    emit_start(bench, "zzzzzzzz", "kaditz")
    again = Candidate("kaditz", NODE, "198.18.0.39", "kaditz", "26.1.5")
    bench.emit(
        "zzzzzzzz",
        DecisionRequested(
            "accept", "f11d", again, Quorum(2, 0, 3, 1), host="kaditz", asked_at=bench.timestamp, valid_seconds=9
        ),
    )
    bench.types("bob", f"accept {NODE[:12]}")
    assert bench.decision_keys() == {"bot:run:zzzzzzzz:decision:1"}
    bench.types("bob", f"accept {NODE[:12]}")
    assert bench.decision_keys() == {"bot:run:zzzzzzzz:decision:1", f"bot:run:{first}:decision:1"}
    bench.types("bob", f"accept {NODE[:12]}")
    assert "was already" in bench.replies[-1].text


def test_a_node_id_means_no_run_of_another_channel(bench: BotHarness) -> None:
    lei, run = bench.create_run("pending-lei"), bench.create_run("pending")
    bench.types("bob", f"accept {NODE[:6]}")
    assert bench.decision_keys() == {f"bot:run:{run}:decision:1"}
    assert bench.replies == []
    assert lei != run


def test_stores_the_normalized_command(bench: BotHarness) -> None:
    bench.create_run("pending-lei")
    bench.types("bob", f"reject {NODE[:6]} —remove")
    assert bench.runs.recent(1)[0].command_text == f"reject {NODE[:6]} --remove"
