"""Check which of a job's events get into the audit log, and with which details."""

import pytest
from redis import Redis

from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, verify
from imker.protocol import codec, commands, events, values
from imker.protocol.commands import Approval, Request
from imker.protocol.events import Event, EventBody
from jobs.events.audit import audit_listener, fact_for_event, fact_for_rejection
from jobs.events.writer import EventWriter
from tests.support import streams

APPROVED = (Approval("U02BOB", "f00d", 3.0),)
CANDIDATE = values.Candidate("kaditz", "j8xsy2yb", "198.18.0.39", "kaditz", "26.1.5")
SECRET = "SWMTKN-1-secret"


def fact(body: EventBody, command: commands.Command, approvals: tuple[Approval, ...] = ()) -> AuditFact | None:
    request = Request("k3fm9x2q", 2, command, "U01ALICE", approvals, channel="C01OPS")
    return fact_for_event(Event("k3fm9x2q", 2, 5, 1.0, body), request, "a1")


@pytest.mark.parametrize(
    ("body", "what", "expected_text"),
    [
        (events.JobStarted("kaditz"), "began", {"command": "migrate", "approved": "U02BOB", "shown": "f00d"}),
        (events.StepStarted("JoinSwarm"), "step", {"step": "JoinSwarm", "outcome": "began"}),
        (events.StepDone("JoinSwarm", SECRET), "step", {"step": "JoinSwarm", "outcome": "done"}),
        (events.StepFailed("JoinSwarm", SECRET), "step", {"step": "JoinSwarm", "outcome": "failed"}),
        (
            events.FileChanged("kaditz", "/etc/default/docker", "aa", "bb"),
            "changed",
            {"path": "/etc/default/docker", "before": "aa", "after": "bb"},
        ),
        (
            events.DecisionRequested("accept", "f00d", CANDIDATE, summary=SECRET),
            "waits",
            {"question": "accept", "shown": "f00d", "node": "j8xsy2yb"},
        ),
        (
            events.DecisionRequested(
                "accept", "f00d", summary=SECRET, approval_problem="it is no longer as it was shown"
            ),
            "waits",
            {"question": "accept", "shown": "f00d", "refused": "it is no longer as it was shown"},
        ),
        (events.JobFinished("failed", SECRET, SECRET, SECRET), "ended", {"outcome": "failed"}),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_records_changes_with_names_and_digests_only(body: EventBody, what: str, expected_text: dict[str, str]) -> None:
    recorded_fact = fact(body, commands.Migrate("kaditz"), APPROVED)
    assert recorded_fact
    assert (recorded_fact.kind, recorded_fact.details) == (what, {**expected_text, "job": "2"})
    assert (recorded_fact.user, recorded_fact.channel, recorded_fact.run, recorded_fact.host) == (
        "U01ALICE",
        "C01OPS",
        "k3fm9x2q",
        "kaditz",
    )
    assert recorded_fact.id == "k3fm9x2q-2-5-a1"


@pytest.mark.parametrize(
    "body",
    [
        events.StepProgress("JoinSwarm", SECRET),
        events.ThreadDetail("apt", SECRET),
        events.Planned((), diff=SECRET),
        events.HostTable(()),
    ],
    ids=lambda body: body.type,
)
def test_does_not_record_events_that_only_show(body: EventBody) -> None:
    assert fact(body, commands.Migrate("kaditz")) is None


def test_records_the_node_of_a_command_without_a_host() -> None:
    recorded_fact = fact(events.JobStarted(), commands.Accept("j8xsy2yb"), APPROVED)
    assert recorded_fact
    assert recorded_fact.details["node"] == "j8xsy2yb"


def test_records_events_as_they_are_emitted(redis: Redis) -> None:
    """A job that runs again under the same number is recorded again: its actions are new."""
    request = Request("k3fm9x2q", 1, commands.Migrate("kaditz"), "U01ALICE")
    for _ in range(2):
        writer = EventWriter(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0, audit_listener(AuditLog(redis), request))
        writer.emit(events.JobStarted("kaditz"))
        writer.emit(events.StepProgress("JoinSwarm", "…"))
        writer.emit(events.JobFinished("done", "kaditz is in the swarm."))
    entries = list(AuditLog(redis).entries())
    assert [entry.fact.kind for entry in entries if entry] == ["began", "ended"] * 2
    assert verify(entries) == ()


@pytest.mark.parametrize(
    ("job", "expected_text"),
    [
        (codec.encode_message(Request("k3fm9x2q", 1, commands.Migrate("kaditz"), "U01ALICE")),
         {"claims": "U01ALICE", "command": "migrate"}),
        ("nonsense", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_records_a_rejected_job_with_its_claims(job: str, expected_text: dict[str, str]) -> None:
    rejected_fact = fact_for_rejection(job, "the job is not signed")
    assert (rejected_fact.kind, rejected_fact.user, rejected_fact.details) == (
        "refused",
        "",
        {"why": "job rejected", "answer": "the job is not signed", **expected_text},
    )
    assert fact_for_rejection(job, "again").id != rejected_fact.id
