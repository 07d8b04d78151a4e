"""A fleet's report as a file: who asked and decided, what was done where, what is left. A golden text, and the rest."""

from dataclasses import replace

import pytest
from hypothesis import given

from bot.messages.fleet_report import render_report
from bot.state.fleet_state import FleetState
from imker.protocol.events import ContainerSnapshot, ThreadDetail
from imker.protocol.values import ContainerRow
from tests.support.fleet_states import BATCH, WEB, Word, build_fleet, host_plan
from tests.unit.bot.state.test_fleet_state import any_fleet

GOLDEN = """\
# Migration of the fleet, run f7wq2p8a

- asked by U01ALICE at 2026-11-23 13:20:00 UTC: /swarm migrate all
- start by U02BOB at 2026-11-23 13:20:05 UTC
- result: failed: b: apt-get install failed
- In the swarm: a. Not begun: c.
- nothing to do on kaditz

## a, manager

- run run-a: done in 12 s
- Engine 20.10.24 before, 26.1.5 after

| step | state | took | |
| --- | --- | --- | --- |
| Upgrade the Engine | done | 2 s | installed docker.io=26.1.5 |
| Join the swarm | done | 1 s |  |

| container | image | policy | before | after |
| --- | --- | --- | --- | --- |
| web | nginx:1.11 | unless-stopped | runs | runs |
| batch | debian:jessie | no | runs | gone |

### x: what changes

```
- --cluster-store
+ nothing
```

## b, worker

- run run-b: failed in 6 s

| step | state | took | |
| --- | --- | --- | --- |
| Upgrade the Engine | failed | 1 s | dpkg: error |
| Join the swarm | pending |  |  |

| container | image | policy | before | after |
| --- | --- | --- | --- | --- |
| web | nginx:1.11 | unless-stopped | runs | not known |
| batch | debian:jessie | no | runs | not known |

## c, worker

Not begun.

## Left over

- b: failed
- c: ahead
- The old files stand beside the new ones on every host, named .imker-TIME.
"""
STORY: tuple[tuple[str, Word], ...] = (("a", "done"), ("b", "failed"), ("c", "pending"))


def finished_fleet(*story: tuple[str, Word]) -> FleetState:
    return build_fleet(
        [(host_plan(host, "worker" if wave else "manager", wave), word) for wave, (host, word) in enumerate(story)]
    )


def with_run(view: FleetState, **change: object) -> FleetState:
    """The first host's run told otherwise."""
    first, *others = view.hosts
    assert first.run is not None
    return replace(view, hosts=(replace(first, run=replace(first.run, **change)), *others))  # type: ignore[arg-type]


def test_the_whole_text() -> None:
    state_of_fleet = build_fleet(
        [(host_plan(host, "worker" if wave else "manager", wave), word) for wave, (host, word) in enumerate(STORY)],
        result=("kaditz",),
    )
    assert render_report(state_of_fleet) == GOLDEN


def test_a_package_managers_words_stay_in_the_thread() -> None:
    assert "Get:1 docker.io" not in render_report(finished_fleet(("a", "done")))


@pytest.mark.parametrize(
    ("row", "word", "is_left_over"),
    [
        (WEB, "runs", False),
        (replace(WEB, running=False), "stopped", True),
        (None, "gone", False),
    ],
)
def test_what_became_of_a_container(row: ContainerRow | None, word: str, is_left_over: bool) -> None:
    after = ContainerSnapshot("after", "a", "26.1.5", (row,) if row else ())
    text = render_report(
        with_run(
            finished_fleet(("a", "done")), container_snapshots=(ContainerSnapshot("before", "a", "", (WEB,)), after)
        )
    )
    assert f"| web | nginx:1.11 | unless-stopped | runs | {word} |" in text
    assert ("- a: does not run: web" in text) is is_left_over
    assert "Engine down before, 26.1.5 after" in text


def test_of_a_run_taken_up_again_the_first_census_before_and_the_last_after_count() -> None:
    message = (
        ContainerSnapshot("before", "a", "20.10.24", (WEB, BATCH)), ContainerSnapshot("after", "a", "26.1.4", ()),
        ContainerSnapshot("before", "a", "26.1.4", (WEB,)), ContainerSnapshot("after", "a", "26.1.5", (WEB, BATCH)),
    )  # fmt: skip
    text = render_report(with_run(finished_fleet(("a", "done")), container_snapshots=message))
    assert "Engine 20.10.24 before, 26.1.5 after" in text
    assert "| batch | debian:jessie | no | runs | runs |" in text


def test_a_hosts_words_break_no_table_and_no_code() -> None:
    odd = replace(WEB, name="a|b\nc", image="x`y")
    detail = ThreadDetail("a: <!channel>", "```\n# no headline\n```")
    text = render_report(
        with_run(
            finished_fleet(("a", "done")),
            container_snapshots=(ContainerSnapshot("before", "a", "1", (odd,)),),
            details=(("1-1", detail),),
        )
    )
    (row,) = [line for line in text.splitlines() if line.startswith("| a/b")]
    assert row.count("|") == 6
    assert text.count("```") == 2, "one block, and the words inside"


@given(any_fleet())
def test_every_host_has_its_part_in_order_and_what_is_not_done_is_left_over(view: FleetState) -> None:
    text = render_report(view)
    heads = [line.split(",")[0].removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert heads == [*(leg.plan.host for leg in view.hosts), "Left over"]
    remaining = text.split("## Left over")[1]
    assert all((f"- {leg.plan.host}: {leg.status}" in remaining) is (leg.status != "done") for leg in view.hosts)
