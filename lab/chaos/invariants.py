"""Invariants that hold whatever faults were injected. Pure: histories in, one line per violation out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from lab.chaos.planned_commands import OUTSIDERS_SERVICE
from lab.chaos.users import ObservedRun, SentCommand
from lab.simulated.history import Action
from lab.slack.client import VisibleMessage

HOST_CHANGES = ("file", "unit", "restart", "containers", "group")
SWARM_CHANGES = ("init", "join", "leave", "promote", "demote", "node")
SERVICE_VERBS = {"create": "create", "scale": "update", "restart": "update", "rollback": "roll back"}
PROBE = "imker-probe"  # a check, although it starts a unit


def changes_in(actions: Sequence[Action]) -> list[Action]:
    """Return the changes of hosts and of the swarm, without checks."""
    return [
        action for action in actions if action.kind in (*HOST_CHANGES, *SWARM_CHANGES) and PROBE not in action.detail
    ]


def nothing_changed_again(actions: Sequence[Action], before: int) -> list[str]:
    """Check that repeated commands changed nothing beyond the first `before` changes."""
    return [
        f"a repeated command changed {action.host} again (token {action.token}, {action.source}): "
        f"{action.kind}, {action.detail}"
        for action in changes_in(actions)[before:]
    ]


def each_command_answered_once(commands: Sequence[SentCommand], runs: Mapping[str, ObservedRun]) -> list[str]:
    """Check that every acknowledged command has one final message. A private refusal counts as one."""
    unanswered = [f"acknowledged but not answered: {sent.text}" for sent in commands if sent.acked and not sent.answer]
    answers = Counter(sent.answer for sent in commands if sent.answer in runs)
    duplicates = [f"run {run} answers {times} commands" for run, times in answers.items() if times > 1]
    unfinished = [
        f"no outcome of run {run.run}, {run.host}: {run.text[:60]}" for run in runs.values() if not run.outcome
    ]
    return unanswered + duplicates + unfinished


def no_duplicate_posts(messages: Sequence[VisibleMessage]) -> list[str]:
    """Check that a run has one message in the channel, and that no thread has a text twice."""
    runs = Counter(
        run_match[1]
        for visible in messages
        if not visible.thread_ts
        and not visible.ephemeral
        and (run_match := re.search(r"run `(\w+)`", visible.plain_text))
    )
    replies = Counter((visible.thread_ts, visible.plain_text) for visible in messages if visible.thread_ts)
    duplicate_messages = [f"run {run} has {times} messages" for run, times in runs.items() if times > 1]
    duplicate_replies = [
        f"posted {times} times in a thread: {text[:60]!r}" for (_, text), times in replies.items() if times > 1
    ]
    return duplicate_messages + duplicate_replies


def no_concurrent_changes(actions: Sequence[Action]) -> list[str]:
    """Check that the changes of one connection to a host end before those of another start."""
    violations = []
    for host in sorted({action.host for action in actions}):
        host_actions = [
            action
            for action in actions
            if action.host == host and action.kind in HOST_CHANGES and PROBE not in action.detail
        ]
        by_source = {
            source: [action for action in host_actions if action.source == source]
            for source in {entry.source for entry in host_actions}
        }
        spans = {
            source: (min(entry.started_at for entry in of_source), max(entry.ended_at for entry in of_source))
            for source, of_source in by_source.items()
        }
        for (first, a), (second, b) in combinations(sorted(spans.items()), 2):
            if a[0] < b[1] and b[0] < a[1]:
                details = f"{by_source[first][-1].detail[:50]!r} and {by_source[second][-1].detail[:50]!r}"
                violations.append(f"two connections changed {host} at the same time: {details}")
    return violations


def fencing_token_never_decreases(actions: Sequence[Action]) -> list[str]:
    """Check that a host is changed only with a fencing token, and never with one older than the latest."""
    violations = []
    for host in sorted({action.host for action in actions}):
        host_actions = [
            action
            for action in actions
            if action.host == host and action.kind in HOST_CHANGES and PROBE not in action.detail
        ]
        host_actions = sorted(
            (action for action in host_actions if action.source), key=lambda action: action.started_at
        )
        violations += [
            f"{host} was changed without a fencing token: {action.detail[:50]!r}"
            for action in host_actions
            if not action.token
        ]
        violations += [
            f"{host} was changed with token {later.token} after {earlier.token}: {later.detail[:50]!r}"
            for earlier, later in pairwise(host_actions)
            if later.token < earlier.token
        ]
    return violations


def nothing_done_twice(actions: Sequence[Action]) -> list[str]:
    """Check that no host joins twice without leaving, and that no installed version is installed again."""
    violations = []
    for host in sorted({action.host for action in actions}):
        host_actions = sorted(
            (action for action in actions if action.host == host and not action.error),
            key=lambda action: action.started_at,
        )
        membership_changes = [action.kind for action in host_actions if action.kind in ("init", "join", "leave")]
        violations += [
            f"{host} entered the swarm twice"
            for earlier, later in pairwise(membership_changes)
            if "leave" not in (earlier, later)
        ]
        installed = [action.detail for action in host_actions if action.kind == "installed"]
        violations += [
            f"{host} installed {earlier} twice" for earlier, later in pairwise(installed) if earlier == later
        ]
    starts = sum(action.kind == "init" and not action.error for action in actions)
    return [*violations, *([f"{starts} swarms were started"] if starts > 1 else [])]


def no_manager_without_approval(actions: Sequence[Action], approved_at: Mapping[str, float]) -> list[str]:
    """Check that every promotion follows an approval."""
    promoted = [action for action in actions if action.kind == "promote" and not action.error]
    return [
        f"node {action.detail} became a manager without an approval"
        for action in promoted
        if approved_at.get(action.detail, float("inf")) > action.started_at
    ]


def services_change_once_per_run(actions: Sequence[Action], commands: Sequence[str]) -> list[str]:
    """Check that services changed at most once for each run. `commands`: those of the runs in the same history."""
    verbs = Counter(SERVICE_VERBS.get(command.split()[0], "") for command in commands if command)
    changes = Counter(
        action.detail.rpartition(" ")[0] for action in actions if action.kind == "service" and not action.error
    )
    return [
        f"{count} times “{change}” a service, for {verbs[change]} runs"
        for change, count in sorted(changes.items())
        if count > verbs[change]
    ]


def nothing_without_right(actions: Sequence[Action], messages: Sequence[VisibleMessage], outsider: str) -> list[str]:
    """Check that a user without the right to change started no run and changed no service."""
    runs = [visible.text for visible in messages if f"by <@{outsider}>" in visible.plain_text]
    changes = [
        action.detail for action in actions if action.kind == "service" and OUTSIDERS_SERVICE in action.detail.split()
    ]
    return [f"without a right: {text}" for text in (*runs, *changes)]
