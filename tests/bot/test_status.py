"""`/swarm status`: what goes on and waits before what was last; one run as its message shows it, no dead button."""

import pytest
from redis import Redis

from bot.record import Decision, RunRecord
from jobs.contract import Began, Candidate, Ended, Migrate, Quorum, Waiting
from lab.slack.blocks import problems
from tests.bot.desk import IDS, NODE, OPS, TS, Bench, configured

FILE = configured("""
[slack]
channels = ["C01OPS", "C04LEI"]
[rights]
read = ["*"]
change = ["*"]
accept = ["*"]
""")


@pytest.fixture
def bench(redis: Redis) -> Bench:
    return Bench(redis, FILE)


def told(bench: Bench, text: str, who: str = "carol") -> str:
    bench.types(who, text)
    assert problems(list(bench.heard[-1].blocks)) == []
    return bench.heard[-1].text


def begun(bench: Bench, run: str, host: str, of: str = "") -> None:
    record = RunRecord(run, Migrate(host), f"migrate {host}", IDS["alice"], OPS, bench.moment.wall, part_of=of)
    bench.runs.start(record)
    bench.runs.posted.remember(run, ts=TS, channel=OPS)
    bench.tell(run, Began(host))


def test_a_fleet_is_told_as_its_own_message_tells_it(bench: Bench) -> None:
    run = bench.run("fleet")
    assert "planned: start?, 0 of 1 hosts" in told(bench, "status")
    bench.clicks("alice", f"{run}:1", "start")
    assert f"🐝 `{run}`  migrate all  <@U01ALICE>, 0 s ago  going on, 0 of 1 hosts" in told(bench, "status")
    assert "kaditz  worker  not yet" in told(bench, f"status {run}")


def test_a_fleet_that_was_called_off_is_not_done(bench: Bench) -> None:
    run = bench.run("fleet")
    bench.clicks("bob", f"{run}:1", "cancel")
    assert f"🚫 `{run}`  migrate all  <@U01ALICE>, 0 s ago  cancelled, 0 of 1 hosts" in told(bench, "status")
    one = told(bench, f"status {run}")
    assert "🚫 *Migrate the whole fleet*  cancelled" in one
    assert f"Nothing was changed.\n/swarm retry {run}" in one


@pytest.mark.parametrize("where", ["C01OPS", "C04LEI"])
def test_what_waits_is_listed_before_any_number_of_later_runs(bench: Bench, where: str) -> None:
    run = bench.run("pending")
    for _ in range(30):
        bench.later(1)
        bench.types("carol", "nodes", where)
        (later,) = {*bench.runs.open_runs()} - {run}
        bench.tell(later, Began(), Ended("done", "3 nodes"))
        bench.runs.close(later)
    lines = told(bench, "status").splitlines()
    assert run in lines[0]
    assert len(lines) == (12 if where == OPS else 1)


def test_more_than_a_message_takes_are_counted(bench: Bench) -> None:
    for number in range(20):
        begun(bench, f"run{number:05}", "kaditz", of="fleetrun" if number else "")
        bench.later(1)
    lines = told(bench, "status").splitlines()
    assert "run00000" in lines[0], "a fleet, or a host of none, before those of a fleet"
    assert (len(lines), lines[-1]) == (17, "and 4 more")


ANSWERS = {
    "pending": ("Accept: `/swarm accept {run}`", "Reject: `/swarm reject {run}`"),
    "warned": ("Continue: `/swarm continue {run}`", "Cancel: `/swarm cancel {run}`"),
    "stop": ("Stop it: `/swarm continue {run}`", "Leave it: `/swarm cancel {run}`"),
    "store": ("Remove it: `/swarm continue {run}`", "Keep it: `/swarm cancel {run}`"),
    "fleet": ("Start: by the button in the run's own message", "Cancel: `/swarm cancel {run}`"),
}


@pytest.mark.parametrize("state", ANSWERS)
def test_one_run_has_no_dead_buttons_and_says_what_to_type(bench: Bench, state: str) -> None:
    run = bench.run(state)
    text = told(bench, f"status {run}")
    shown = bench.heard[-1].blocks
    assert [block for block in shown if block["type"] == "actions"] == []
    for answer in ANSWERS[state]:
        assert answer.format(run=run) in text
        assert answer.format(run=run) in str(shown)


@pytest.mark.parametrize(("state", "verdict"), [("pending", "accept"), ("warned", "continue"), ("store", "cancel")])
def test_what_it_says_to_type_does_what_the_button_does(bench: Bench, state: str, verdict: str) -> None:
    run = bench.run(state)
    bench.types("bob", f"{verdict} {run}")
    record = bench.runs.record(run)
    assert record
    assert record.decisions == (Decision(1, verdict, IDS["bob"], record.decisions[0].at, "f00d"),)  # type: ignore[arg-type]


def test_of_two_that_wait_under_one_beginning_none_is_taken(bench: Bench) -> None:
    run = bench.run("pending")
    begun(bench, "zzzzzzzz", "tondi")
    other = Candidate("tondi", NODE[:6] + "x" * 19, "198.18.0.73", "tondi", "26.1.5")
    asked = Waiting("accept", "f11d", other, Quorum(2, 0, 3, 1), host="tondi", asked=bench.moment, seconds=1800.0)
    bench.tell("zzzzzzzz", asked)
    before = list(bench.requests())
    for verdict in ("accept", "reject"):
        says = told(bench, f"{verdict} {NODE[:6]}", "bob")
        assert says.startswith(f"More than one waits here as {NODE[:6]}: ")
        assert f"{run} (migrate kaditz)" in says
        assert "zzzzzzzz (migrate tondi)" in says
    assert (list(bench.requests()), bench.decisions()) == (before, set())
    bench.types("bob", f"accept {NODE[:7]}")
    assert bench.decisions() == {f"bot:run:{run}:decision:1"}


def test_of_two_runs_that_ask_about_one_node_the_last_is_meant(bench: Bench) -> None:
    first = bench.run("pending")
    bench.later(60)
    begun(bench, "zzzzzzzz", "kaditz")
    again = Candidate("kaditz", NODE, "198.18.0.39", "kaditz", "26.1.5")
    bench.tell(
        "zzzzzzzz", Waiting("accept", "f11d", again, Quorum(2, 0, 3, 1), host="kaditz", asked=bench.moment, seconds=9)
    )
    bench.types("bob", f"accept {NODE[:12]}")
    assert bench.decisions() == {"bot:run:zzzzzzzz:decision:1"}
    bench.types("bob", f"accept {NODE[:12]}")
    assert bench.decisions() == {"bot:run:zzzzzzzz:decision:1", f"bot:run:{first}:decision:1"}
    bench.types("bob", f"accept {NODE[:12]}")
    assert "That is decided already" in bench.heard[-1].text


def test_a_node_that_waits_elsewhere_is_not_taken_for_one_here(bench: Bench) -> None:
    lei, run = bench.run("pending-lei"), bench.run("pending")
    bench.types("bob", f"accept {NODE[:6]}")
    assert bench.decisions() == {f"bot:run:{run}:decision:1"}
    assert bench.heard == []
    assert lei != run


def test_what_was_rejected_is_kept_as_it_was_typed(bench: Bench) -> None:
    bench.run("pending-lei")
    bench.types("bob", f"reject {NODE[:6]} —remove")
    assert bench.runs.recent(1)[0].text == f"reject {NODE[:6]} --remove"
