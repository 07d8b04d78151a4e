"""What must hold whatever broke, checked over what happened. Pure: histories in, a line for each violation out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from lab.chaos.people import Asked, Run
from lab.simulated.history import Deed
from lab.slack.client import Seen

CHANGING = ("file", "unit", "restart", "containers", "group")
SWARM = ("init", "join", "leave", "promote", "demote", "node")
PROBE = "imker-probe"  # a look, although it starts a unit for it


def changes(deeds: Sequence[Deed]) -> list[Deed]:
    """What was done to hosts and to the swarm, looks left out."""
    return [deed for deed in deeds if deed.kind in (*CHANGING, *SWARM) and PROBE not in deed.what]


def again_is_nothing(deeds: Sequence[Deed], before: int) -> list[str]:
    """Nothing was changed after the first so many changes, when all had arrived."""
    return [
        f"asked again, {deed.host} was changed once more (fence {deed.fence}, {deed.source}): {deed.kind}, {deed.what}"
        for deed in changes(deeds)[before:]
    ]


def one_answer_each(asked: Sequence[Asked], runs: Mapping[str, Run]) -> list[str]:
    """Every acknowledged command ends in exactly one final message; what was refused in private has had its."""
    unheard = [f"acknowledged and never answered: {one.text}" for one in asked if one.acked and not one.answer]
    answers = Counter(one.answer for one in asked if one.answer in runs)
    twice = [f"run {run} answers {times} commands" for run, times in answers.items() if times > 1]
    open_ = [f"no end of run {run.run}, {run.host}: {run.text[:60]}" for run in runs.values() if not run.outcome]
    return unheard + twice + open_


def no_doubled_posts(messages: Sequence[Seen]) -> list[str]:
    """One message a run in the channel; in a thread, no text twice."""
    runs = Counter(
        found[1]
        for seen in messages
        if not seen.thread and not seen.ephemeral and (found := re.search(r"run `(\w+)`", seen.plain))
    )
    replies = Counter((seen.thread, seen.plain) for seen in messages if seen.thread)
    doubled = [f"run {run} has {times} messages" for run, times in runs.items() if times > 1]
    again = [f"posted {times} times in a thread: {text[:60]!r}" for (_, text), times in replies.items() if times > 1]
    return doubled + again


def one_at_a_time(deeds: Sequence[Deed]) -> list[str]:
    """On a host, one connection's changes end before another's begin, and no two changes overlap."""
    found = []
    for host in sorted({deed.host for deed in deeds}):
        own = [deed for deed in deeds if deed.host == host and deed.kind in CHANGING and PROBE not in deed.what]
        by_source = {source: [deed for deed in own if deed.source == source] for source in {d.source for d in own}}
        spans = {source: (min(d.began for d in done), max(d.ended for d in done)) for source, done in by_source.items()}
        for (one, a), (two, b) in combinations(sorted(spans.items()), 2):
            if a[0] < b[1] and b[0] < a[1]:
                what = f"{by_source[one][-1].what[:50]!r} and {by_source[two][-1].what[:50]!r}"
                found.append(f"two connections changed {host} at the same time: {what}")
    return found


def fence_never_goes_down(deeds: Sequence[Deed]) -> list[str]:
    """On a host, no run changes anything after a later one has; and nobody changes it who has not claimed it."""
    found = []
    for host in sorted({deed.host for deed in deeds}):
        own = [deed for deed in deeds if deed.host == host and deed.kind in CHANGING and PROBE not in deed.what]
        own = sorted((deed for deed in own if deed.source), key=lambda deed: deed.began)
        found += [f"{host} was changed without a claim: {deed.what[:50]!r}" for deed in own if not deed.fence]
        found += [
            f"{host} was changed with fence {two.fence} after {one.fence}: {two.what[:50]!r}"
            for one, two in pairwise(own)
            if two.fence < one.fence
        ]
    return found


def nothing_twice(deeds: Sequence[Deed]) -> list[str]:
    """What was done is not done again: no second start or join without leaving, no install of what is installed."""
    found = []
    for host in sorted({deed.host for deed in deeds}):
        own = sorted((deed for deed in deeds if deed.host == host and not deed.said), key=lambda deed: deed.began)
        place = [deed.kind for deed in own if deed.kind in ("init", "join", "leave")]
        found += [f"{host} entered the swarm twice" for one, two in pairwise(place) if "leave" not in (one, two)]
        installed = [deed.what for deed in own if deed.kind == "installed"]
        found += [f"{host} installed {one} twice" for one, two in pairwise(installed) if one == two]
    starts = sum(deed.kind == "init" and not deed.said for deed in deeds)
    return [*found, *([f"{starts} swarms were started"] if starts > 1 else [])]


def no_manager_unasked(deeds: Sequence[Deed], accepted: Mapping[str, float]) -> list[str]:
    promoted = [deed for deed in deeds if deed.kind == "promote" and not deed.said]
    return [
        f"node {deed.what} became a manager without an acceptance"
        for deed in promoted
        if accepted.get(deed.what, float("inf")) > deed.began
    ]
