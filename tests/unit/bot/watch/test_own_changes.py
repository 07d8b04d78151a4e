"""What Imker itself is changing, by the state of its runs."""

import pytest

from bot.records import RunRecord
from bot.state.run_state import RunState, RunStatus
from bot.watch.model import OwnChanges
from bot.watch.own_changes import find_own_changes
from imker.protocol.commands import Command, ListNodes, Migrate, MigrateAll
from imker.protocol.service_commands import RestartService, ScaleServices, ScaleTarget

NOW = 1_795_440_000.0
SCALE = ScaleServices((ScaleTarget("web", 3), ScaleTarget("api", 1)))


def run(command: Command, status: RunStatus = "running", finished_at: float | None = None) -> RunState:
    record = RunRecord("k3fm9x2q", command, command.text, "U01ALICE", "C01OPS", NOW)
    return RunState(record, status, NOW, finished_at=finished_at)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (run(Migrate("kaditz")), OwnChanges(frozenset({"kaditz"}))),
        (run(Migrate("kaditz"), "queued"), OwnChanges()),
        (run(Migrate("kaditz"), "waiting"), OwnChanges()),
        (run(Migrate("kaditz"), "lost"), OwnChanges()),
        (run(Migrate("kaditz"), "finished", NOW - 61), OwnChanges()),
        (run(Migrate("kaditz"), "finished", NOW - 59), OwnChanges(frozenset({"kaditz"}))),
        (run(ListNodes()), OwnChanges()),
        (run(MigrateAll()), OwnChanges()),
        (run(SCALE), OwnChanges(services=frozenset({"web", "api"}))),
        (run(RestartService("web")), OwnChanges(services=frozenset({"web"}))),
    ],
    ids=lambda value: f"{value.record.command.text} {value.status}" if isinstance(value, RunState) else "",
)
def test_own_changes(state: RunState, expected: OwnChanges) -> None:
    assert find_own_changes([state], NOW - 60) == expected


@pytest.mark.parametrize(
    ("own_changes", "host", "service"),
    [
        (OwnChanges(), False, False),
        (OwnChanges(frozenset({"kaditz"})), True, True),
        (OwnChanges(frozenset({"tondi"})), False, True),
        (OwnChanges(services=frozenset({"api"})), False, True),
        (OwnChanges(services=frozenset({"web_api"})), False, True),
        (OwnChanges(services=frozenset({"pi"})), False, False),
        (OwnChanges(services=frozenset({"*"})), False, True),
        (OwnChanges(everything=True), True, True),
    ],
)
def test_what_they_explain(own_changes: OwnChanges, host: bool, service: bool) -> None:
    assert (own_changes.touches_host("kaditz"), own_changes.touches_service("web_api")) == (host, service)
