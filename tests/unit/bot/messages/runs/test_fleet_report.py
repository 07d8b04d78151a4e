"""Test the report file of a fleet's migration, with one golden text."""

from dataclasses import replace

import pytest
from hypothesis import given

from bot.messages.runs.fleet_message import STATUS_TEXT
from bot.messages.runs.fleet_report import add_names, people_of, render_report
from bot.state.fleet_state import FleetState
from imker.protocol.events import ContainerSnapshot, ThreadDetail
from imker.protocol.values import ContainerRow
from tests.support.fleet_states import BATCH, WEB, Word, build_fleet, host_plan
from tests.unit.bot.state.test_fleet_state import any_fleet

GOLDEN = """\
# Migration of the fleet, run f7wq2p8a

- requested by U01ALICE at 2026-11-23 13:20:00 UTC: /swarm migrate all
- started by U02BOB at 2026-11-23 13:20:05 UTC
- outcome: failed: b: apt-get install failed
- In the swarm: a. Not started: c.
- nothing to do on kaditz

## a, manager

- run run-a: done in 12 s
- Engine 20.10.24 before, 26.1.5 after

| step | status | duration | |
| --- | --- | --- | --- |
| Upgrade the Engine | done | 2 s | installed docker.io=26.1.5 |
| Join the swarm | done | 1 s |  |

| container | image | policy | before | after |
| --- | --- | --- | --- | --- |
| web | nginx:1.11 | unless-stopped | running | running |
| batch | debian:jessie | no | running | gone |

### x: what changes

```
- --cluster-store
+ nothing
```

## b, worker

- run run-b: failed in 6 s

| step | status | duration | |
| --- | --- | --- | --- |
| Upgrade the Engine | failed | 1 s | dpkg: error |
| Join the swarm | pending |  |  |

| container | image | policy | before | after |
| --- | --- | --- | --- | --- |
| web | nginx:1.11 | unless-stopped | running | unknown |
| batch | debian:jessie | no | running | unknown |

## c, worker

Not started.

## Remaining

- b: failed
- c: pending
- Every host keeps the original files next to the changed ones, named .imker-TIME.
"""
HOSTS: tuple[tuple[str, Word], ...] = (("a", "done"), ("b", "failed"), ("c", "pending"))


def finished_fleet(*hosts: tuple[str, Word]) -> FleetState:
    return build_fleet(
        [(host_plan(host, "worker" if wave else "manager", wave), word) for wave, (host, word) in enumerate(hosts)]
    )


def with_run(fleet: FleetState, **change: object) -> FleetState:
    """Return the fleet with changes to the first host's run."""
    first, *others = fleet.hosts
    assert first.run is not None
    return replace(fleet, hosts=(replace(first, run=replace(first.run, **change)), *others))  # type: ignore[arg-type]


def test_golden_report() -> None:
    fleet = build_fleet(
        [(host_plan(host, "worker" if wave else "manager", wave), word) for wave, (host, word) in enumerate(HOSTS)],
        result=("kaditz",),
    )
    assert render_report(fleet) == GOLDEN


def test_leaves_out_the_package_managers_output() -> None:
    assert "Get:1 docker.io" not in render_report(finished_fleet(("a", "done")))


@pytest.mark.parametrize(
    ("row", "word", "is_listed"),
    [
        (WEB, "running", False),
        (replace(WEB, running=False), "stopped", True),
        (None, "gone", False),
    ],
)
def test_shows_each_container_before_and_after(row: ContainerRow | None, word: str, is_listed: bool) -> None:
    after = ContainerSnapshot("after", "a", "26.1.5", (row,) if row else ())
    text = render_report(
        with_run(
            finished_fleet(("a", "done")), container_snapshots=(ContainerSnapshot("before", "a", "", (WEB,)), after)
        )
    )
    assert f"| web | nginx:1.11 | unless-stopped | running | {word} |" in text
    assert ("- a: not running: web" in text) is is_listed
    assert "Engine down before, 26.1.5 after" in text


def test_compares_the_first_snapshot_before_with_the_last_one_after() -> None:
    snapshots = (
        ContainerSnapshot("before", "a", "20.10.24", (WEB, BATCH)), ContainerSnapshot("after", "a", "26.1.4", ()),
        ContainerSnapshot("before", "a", "26.1.4", (WEB,)), ContainerSnapshot("after", "a", "26.1.5", (WEB, BATCH)),
    )  # fmt: skip
    text = render_report(with_run(finished_fleet(("a", "done")), container_snapshots=snapshots))
    assert "Engine 20.10.24 before, 26.1.5 after" in text
    assert "| batch | debian:jessie | no | running | running |" in text


def test_a_hosts_text_cannot_break_tables_or_code_blocks() -> None:
    odd = replace(WEB, name="a|b\nc", image="x`y")
    detail = ThreadDetail("a: <!channel>", "```\n# no heading\n```")
    text = render_report(
        with_run(
            finished_fleet(("a", "done")),
            container_snapshots=(ContainerSnapshot("before", "a", "1", (odd,)),),
            details=(("1-1", detail),),
        )
    )
    (row,) = [line for line in text.splitlines() if line.startswith("| a/b")]
    assert row.count("|") == 6
    assert text.count("```") == 2, "one code block with the detail inside"


@given(any_fleet())
def test_has_a_section_for_every_host_in_order_and_lists_those_not_done(fleet: FleetState) -> None:
    text = render_report(fleet)
    headings = [line.split(",")[0].removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [*(host.plan.host for host in fleet.hosts), "Remaining"]
    remaining = text.split("## Remaining")[1]
    for host in fleet.hosts:
        assert (f"- {host.plan.host}: {STATUS_TEXT[host.status]}" in remaining) is (host.status != "done")


def test_names_people_and_links_runs() -> None:
    fleet = finished_fleet(("a", "kept"))
    report = render_report(fleet)
    assert people_of(fleet) == ("U01ALICE", "U02BOB")
    link = "https://imker.slack.com/archives/C01OPS/p1"
    named = add_names(report, {"U01ALICE": "alice <!here> [x](y)\n# z", "U02BOB": ""}, {"f7wq2p8a": link})
    assert f"run [f7wq2p8a]({link})" in named
    assert "requested by @alice here xy z (U01ALICE) at" in named
    assert "started by U02BOB at" in named
    assert add_names(report, {}, {}) == report
