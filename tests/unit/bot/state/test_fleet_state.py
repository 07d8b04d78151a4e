"""Test which hosts of a fleet start next, what a hold means, and how the fleet ends: laws over any fleet, and cases."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.state.fleet_order import hosts_to_start
from bot.state.fleet_state import FleetState, fleet_status, fold_fleet, outcome
from bot.state.host_runs import decisions_from_hold
from imker.protocol.commands import Role
from imker.protocol.events import JobFinished
from imker.protocol.next_command import BotCommand
from imker.protocol.values import HostPlan
from tests.support.fleet_states import BOB, EVERY, FLEET, Word, build_fleet, host_plan, host_run

ROLES: tuple[Role, ...] = ("manager", "worker")
STATUSES = {
    "pending": "pending", "queued": "running", "running": "running", "continue": "waiting", "resume": "waiting",
    "accept": "unaccepted", "done": "done", "nothing": "done", "containers": "done",
    "stop": "done", "store": "done", "kept": "done",
    "failed": "failed", "refused": "failed", "restored": "failed", "lost": "failed",
    "cancelled": "cancelled", "declined": "cancelled",
    "accepting": "running", "accepted": "done", "rejecting": "running", "rejected": "done", "removed": "done",
    "not promoted": "failed",
}  # fmt: skip


@pytest.mark.parametrize("word", EVERY)
def test_maps_a_hosts_run_to_its_status(word: Word) -> None:
    (only,) = build_fleet([(host_plan("a"), word)]).hosts
    assert only.status == STATUSES[word]


def test_returns_no_fleet_before_its_plan() -> None:
    assert fold_fleet(host_run("a", "running"), {}, None) is None


# --- which hosts start -----------------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> list[HostPlan]:
    """Return host plans as the RQ workers arrange them: the canary, then hosts that join, several in a wave, and nodes
    that are upgraded, each in a wave of its own. The host of the key-value store is the last."""
    sizes = [1, *draw(st.lists(st.integers(0, 4), max_size=4)), 1]  # 0: a node that is upgraded
    return [
        replace(host_plan(f"h{wave}-{n}", draw(st.sampled_from(ROLES)), wave), joins=size > 0)
        for wave, size in enumerate(sizes)
        for n in range(size or 1)
    ]


@st.composite
def any_fleet(draw: st.DrawFn) -> FleetState:
    words = st.sampled_from(EVERY)
    return build_fleet(
        [(item, draw(words)) for item in draw(plans())],
        started=draw(st.booleans()), hold=draw(st.sampled_from(["", "pause", "resume", "cancel"])),
        parallel=draw(st.integers(1, 3)),
    )  # fmt: skip


@given(any_fleet())
def test_starts_hosts_of_one_wave_after_the_earlier_waves_settled_and_within_the_limit(fleet: FleetState) -> None:
    starting = hosts_to_start(fleet)
    if not starting:
        return
    assert fleet.start
    assert not fleet.is_held("pause")
    assert not fleet.is_held("cancel")
    (wave,) = {host.wave for host in starting}
    earlier = [host for host in fleet.hosts if host.plan.wave < wave]
    assert all(host.status in ("done", "unaccepted") or host.is_being_accepted for host in earlier)
    assert all(host.status == "pending" for host in fleet.hosts if host.plan in starting)
    assert len(fleet.with_status("running", "waiting")) + len(starting) <= fleet.plan.parallel
    assert not fleet.with_status("failed", "cancelled")


@given(any_fleet())
def test_no_node_restarts_while_a_manager_is_promoted(fleet: FleetState) -> None:
    if any(not host.joins for host in hosts_to_start(fleet)):
        assert not fleet.with_status("running", "waiting")


@given(any_fleet())
def test_a_running_fleet_always_makes_progress(fleet: FleetState) -> None:
    """Check that a running fleet has a running host or starts one now."""
    if fleet_status(fleet) == "running":
        assert hosts_to_start(fleet) or fleet.with_status("running")


ENDS: dict[Word, tuple[Word, ...]] = {  # what a host's run may be next
    "running": ("done", "accept", "containers", "continue"),
    "continue": ("running",),
    "accept": ("accepting", "rejecting", "accept"),
    "accepting": ("accepted",),
    "rejecting": ("rejected", "removed"),
}


@given(plans(), st.integers(1, 3), st.data())
def test_migrates_every_host_in_order(host_plans: list[HostPlan], parallel: int, data: st.DataObject) -> None:
    """Let runs end, ask, and be accepted in any order: every host settles, and these rules hold at each moment.

    The canary is alone first, the host of the key-value store is last, nodes are upgraded one by one, and no more than
    `parallel` hosts are busy.
    """
    words: dict[str, Word] = {plan.host: "pending" for plan in host_plans}
    started: list[str] = []
    for _ in range(40 * len(host_plans)):
        fleet = build_fleet([(plan, words[plan.host]) for plan in host_plans], parallel=parallel)
        starting = hosts_to_start(fleet)
        words |= {plan.host: "running" for plan in starting}
        started += [plan.host for plan in starting]
        _check_busy(host_plans, words, parallel, started)
        moving = [name for name, word in words.items() if word in ENDS]
        active = [name for name in moving if words[name] != "accept"]
        if not active and not starting:
            break
        name = data.draw(st.sampled_from(moving))
        words[name] = data.draw(st.sampled_from(ENDS[words[name]]))
    assert started == [plan.host for plan in host_plans]
    assert set(words.values()) <= {"done", "containers", "accept", "accepted", "rejected", "removed"}
    assert fleet_status(fleet) == ("unaccepted" if "accept" in words.values() else "finished")


def _check_busy(host_plans: list[HostPlan], words: dict[str, Word], parallel: int, started: list[str]) -> None:
    migrating = [plan for plan in host_plans if words[plan.host] in ("running", "continue")]
    promoting = [plan for plan in host_plans if words[plan.host] in ("accepting", "rejecting")]
    assert len(migrating) <= parallel
    assert len(migrating) == 1 or all(plan.joins for plan in migrating)
    if host_plans[0] in migrating:
        assert started == [host_plans[0].host]
        assert migrating == [host_plans[0]]
    if host_plans[-1] in migrating:
        assert migrating == [host_plans[-1]]
    assert len({plan.wave for plan in migrating}) <= 1
    if any(words[plan.host] == "running" and plan.host == started[-1] and not plan.joins for plan in migrating):
        assert all(plan.wave < migrating[0].wave for plan in promoting)


BUSY: list[tuple[str, tuple[Word, ...], int, tuple[str, ...]]] = [
    ("all of a wave at once", ("done", "pending", "pending", "pending"), 8, ("h1", "h2", "h3")),
    ("never more than parallel", ("done", "pending", "pending", "pending"), 2, ("h1", "h2")),
    ("a host with a question counts", ("done", "continue", "pending", "pending"), 2, ("h2",)),
    ("a manager that waits does not count", ("done", "accept", "accept", "pending"), 1, ("h3",)),
    ("a promotion counts", ("done", "accepting", "pending", "pending"), 2, ("h2",)),
    ("a rejected manager has settled", ("done", "rejected", "removed", "pending"), 1, ("h3",)),
    ("a failed promotion stops the fleet", ("done", "not promoted", "pending", "pending"), 8, ()),
    ("a lost run stops the fleet", ("done", "lost", "running", "pending"), 8, ()),
]


@pytest.mark.parametrize(("title", "words", "parallel", "expected"), BUSY, ids=[case[0] for case in BUSY])
def test_which_hosts_of_a_wave_start(
    title: str, words: tuple[Word, ...], parallel: int, expected: tuple[str, ...]
) -> None:
    host_plans = [replace(host_plan(f"h{n}", "manager", min(n, 1)), joins=True) for n in range(len(words))]
    fleet = build_fleet(list(zip(host_plans, words, strict=True)), parallel=parallel)
    assert tuple(host.host for host in hosts_to_start(fleet)) == expected


@pytest.mark.parametrize(
    ("promotion", "joins", "starts"),
    [("accept", True, True), ("accept", False, True), ("accepting", True, True), ("accepting", False, False)],
)
def test_last_host_waits_for_a_promotion_only_if_it_is_a_node(promotion: Word, joins: bool, starts: bool) -> None:
    last = replace(host_plan("lausen", wave=1), joins=joins)
    fleet = build_fleet([(host_plan("kaditz", "manager"), promotion), (last, "pending")])
    assert bool(hosts_to_start(fleet)) is starts


@pytest.mark.parametrize("word", ["failed", "refused", "restored", "lost", "cancelled", "declined"])
def test_a_failed_canary_stops_all_other_hosts(word: Word) -> None:
    fleet = build_fleet(
        [
            (host_plan("canary", "manager"), word),
            (host_plan("a", wave=1), "pending"),
            (host_plan("b", wave=1), "pending"),
        ]
    )
    assert hosts_to_start(fleet) == ()
    assert fleet_status(fleet) == "finished"


MIXED: tuple[Word, ...] = ("done", "failed", "running", "pending")


def test_hosts_that_run_during_a_failure_finish() -> None:
    fleet = build_fleet([(host_plan(word, wave=wave), word) for wave, word in zip((0, 1, 1, 1), MIXED, strict=True)])
    assert (hosts_to_start(fleet), fleet_status(fleet), outcome(fleet)) == (
        (),
        "running",
        None,
    )


# --- holds ------------------------------------------------------------------------------------------------------------

HELD: tuple[Word, ...] = ("done", "resume", "continue", "pending")
PAUSED = [(host_plan(word, wave=wave), word) for wave, word in enumerate(HELD)]


@pytest.mark.parametrize(("hold", "verdict"), [("resume", "continue"), ("cancel", "cancel")])
def test_resume_and_cancel_answer_paused_hosts_and_no_other_question(hold: str, verdict: str) -> None:
    ((view, decision),) = decisions_from_hold(build_fleet(PAUSED, hold=hold))
    assert view.record.run == "run-resume"
    assert (decision.choice, decision.user, decision.job) == (verdict, BOB, view.record.job_count)


@pytest.mark.parametrize("hold", ["", "pause"])
def test_answers_no_host_without_resume_or_cancel(hold: str) -> None:
    assert decisions_from_hold(build_fleet(PAUSED, hold=hold)) == ()


PENDING, DONE, ACCEPT, RUNNING, ASKS, FAILED = "pending", "done", "accept", "running", "continue", "failed"
STATES: list[tuple[tuple[Word, ...], bool, str, str]] = [
    ((PENDING, PENDING), False, "", "waiting"),
    ((PENDING, PENDING), True, "", "running"),
    ((PENDING, PENDING), True, "pause", "paused"),
    ((PENDING, PENDING), True, "resume", "running"),
    ((PENDING, PENDING), True, "cancel", "finished"),
    ((RUNNING, PENDING), True, "pause", "running"),
    ((RUNNING, PENDING), True, "cancel", "running"),
    (("resume", PENDING), True, "pause", "paused"),
    ((ASKS, PENDING), True, "", "waiting"),
    ((FAILED, RUNNING), True, "", "running"),
    ((FAILED, PENDING), True, "", "finished"),
    ((ACCEPT, PENDING), True, "", "running"),
    ((ACCEPT, DONE), True, "", "unaccepted"),
    ((ACCEPT, FAILED), True, "", "finished"),
    ((ACCEPT, FAILED, PENDING), True, "", "finished"),
    ((ACCEPT, FAILED, RUNNING), True, "", "running"),
    ((ACCEPT, PENDING), True, "cancel", "finished"),
    ((DONE, DONE), True, "", "finished"),
    ((DONE, DONE), True, "pause", "finished"),
]


@pytest.mark.parametrize(("words", "started", "hold", "expected"), STATES)
def test_fleet_status(words: tuple[Word, ...], started: bool, hold: str, expected: str) -> None:
    fleet = build_fleet(
        [(host_plan(f"h{n}", wave=n), word) for n, word in enumerate(words)], started=started, hold=hold
    )
    assert fleet_status(fleet) == expected


# --- outcome ---------------------------------------------------------------------------------------------------------


@given(any_fleet())
def test_has_an_outcome_exactly_when_it_has_finished(fleet: FleetState) -> None:
    if fleet.start:
        assert (outcome(fleet) is not None) is (fleet_status(fleet) == "finished")


def test_outcome_when_all_hosts_are_done() -> None:
    fleet = build_fleet(
        [(host_plan("m", "manager"), "done"), (host_plan("a", wave=1), "store"), (host_plan("b", wave=1), "containers")]
    )
    assert outcome(fleet) == JobFinished("done", "3 hosts migrated: 1 manager, 2 workers.")


@pytest.mark.parametrize(
    ("word", "expected_outcome", "why"),
    [
        ("failed", "failed", "a: apt-get install failed"),
        ("lost", "failed", "a: the RQ worker stopped"),
        ("cancelled", "cancelled", "a: cancelled"),
        ("declined", "cancelled", "a: cancelled"),
    ],
)
def test_outcome_names_the_reason_the_done_hosts_and_the_hosts_not_started(
    word: Word, expected_outcome: str, why: str
) -> None:
    fleet = build_fleet(
        [(host_plan("m", "manager"), "done"), (host_plan("a", wave=1), word), (host_plan("b", wave=2), "pending")]
    )
    end = outcome(fleet)
    assert end is not None
    assert (end.outcome, end.summary, end.state) == (expected_outcome, why, "In the swarm: m. Not started: b.")
    assert [item.command for item in end.next_commands] == [BotCommand("retry", FLEET)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("accepted", "3 hosts migrated: 2 managers, 1 worker."),
        ("rejected", "3 hosts migrated: 1 manager, 2 workers. Rejected as manager: n."),
        ("removed", "3 hosts migrated: 1 manager, 1 worker. Rejected as manager: n. Removed from the swarm: n."),
    ],
)
def test_outcome_counts_a_rejected_manager_as_what_it_is(word: Word, expected: str) -> None:
    fleet = build_fleet(
        [(host_plan("m", "manager"), "done"), (host_plan("n", "manager", 1), word), (host_plan("a", wave=1), "done")]
    )
    assert outcome(fleet) == JobFinished("done", expected)


def test_outcome_when_cancelled_between_hosts() -> None:
    end = outcome(
        build_fleet([(host_plan("m", "manager"), "done"), (host_plan("b", wave=1), "pending")], hold="cancel")
    )
    assert end is not None
    assert (end.outcome, end.summary, end.user) == ("cancelled", "cancelled", "U02BOB")


def test_outcome_is_failed_although_managers_wait_to_be_accepted() -> None:
    fleet = build_fleet(
        [
            (host_plan("m", "manager"), "done"),
            (host_plan("n", "manager", 1), "accept"),
            (host_plan("b", wave=2), "failed"),
        ]
    )
    end = outcome(fleet)
    assert end is not None
    assert (end.outcome, end.summary) == ("failed", "b: apt-get install failed")
    assert end.state == "In the swarm: m. Waiting to be accepted: n. Not started: none."


def test_outcome_of_a_refused_plan_is_that_of_its_job() -> None:
    before_start = build_fleet([(host_plan("a"), "pending")], started=False)
    refused = JobFinished("refused", "blocking findings for a")
    assert outcome(replace(before_start, run=replace(before_start.run, status="finished", outcome=refused))) == refused
