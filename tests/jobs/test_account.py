"""What of a job's events is recorded, and what is not."""

import pytest
from redis import Redis

from imker.audit import Audit
from imker.chain import Fact, verify
from jobs import contract
from jobs.account import fact_of, recording, turned_away
from jobs.contract import Approval, Body, Event, Request
from jobs.journal import Journal
from tests import streams

APPROVED = (Approval("U02BOB", "f00d", 3.0),)
CANDIDATE = contract.Candidate("kaditz", "j8xsy2yb", "198.18.0.39", "kaditz", "26.1.5")
SECRET = "SWMTKN-1-secret"


def fact(body: Body, command: contract.Command, approvals: tuple[Approval, ...] = ()) -> Fact | None:
    request = Request("k3fm9x2q", 2, command, "U01ALICE", approvals, channel="C01OPS")
    return fact_of(Event("k3fm9x2q", 2, 5, 1.0, body), request, "a1")


@pytest.mark.parametrize(
    ("body", "what", "said"),
    [
        (contract.Began("kaditz"), "began", {"command": "migrate", "approved": "U02BOB", "shown": "f00d"}),
        (contract.StepStarted("JoinSwarm"), "step", {"step": "JoinSwarm", "outcome": "began"}),
        (contract.StepDone("JoinSwarm", SECRET), "step", {"step": "JoinSwarm", "outcome": "done"}),
        (contract.StepFailed("JoinSwarm", SECRET), "step", {"step": "JoinSwarm", "outcome": "failed"}),
        (
            contract.FileChanged("kaditz", "/etc/default/docker", "aa", "bb"),
            "changed",
            {"path": "/etc/default/docker", "before": "aa", "after": "bb"},
        ),
        (
            contract.Waiting("accept", "f00d", CANDIDATE, summary=SECRET),
            "waits",
            {"question": "accept", "shown": "f00d", "node": "j8xsy2yb"},
        ),
        (
            contract.Waiting("accept", "f00d", summary=SECRET, refused="it is no longer as it was shown"),
            "waits",
            {"question": "accept", "shown": "f00d", "refused": "it is no longer as it was shown"},
        ),
        (contract.Ended("failed", SECRET, SECRET, SECRET), "ended", {"outcome": "failed"}),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_what_counts_is_recorded_with_names_and_digests_only(body: Body, what: str, said: dict[str, str]) -> None:
    made = fact(body, contract.Migrate("kaditz"), APPROVED)
    assert made
    assert (made.what, made.said) == (what, {**said, "job": "2"})
    assert (made.who, made.channel, made.run, made.host) == ("U01ALICE", "C01OPS", "k3fm9x2q", "kaditz")
    assert made.id == "k3fm9x2q-2-5-a1"


@pytest.mark.parametrize(
    "body",
    [
        contract.StepNote("JoinSwarm", SECRET),
        contract.Detail("apt", SECRET),
        contract.Planned((), diff=SECRET),
        contract.HostTable(()),
    ],
    ids=lambda body: body.type,
)
def test_what_only_shows_is_not(body: Body) -> None:
    assert fact(body, contract.Migrate("kaditz")) is None


def test_a_node_stands_for_a_host_that_is_not_named() -> None:
    made = fact(contract.Began(), contract.Accept("j8xsy2yb"), APPROVED)
    assert made
    assert made.said["node"] == "j8xsy2yb"


def test_a_journal_records_as_it_tells(redis: Redis) -> None:
    """Also of a job that runs again under the same number: other doings, none of which is lost."""
    request = Request("k3fm9x2q", 1, contract.Migrate("kaditz"), "U01ALICE")
    for _ in range(2):
        journal = Journal(redis, streams.KEY, "k3fm9x2q", 1, lambda: 7.0, recording(Audit(redis), request))
        journal.tell(contract.Began("kaditz"))
        journal.tell(contract.StepNote("JoinSwarm", "…"))
        journal.tell(contract.Ended("done", "kaditz is in the swarm."))
    entries = list(Audit(redis).entries())
    assert [entry.fact.what for entry in entries if entry] == ["began", "ended"] * 2
    assert verify(entries) == ()


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (contract.encode(Request("k3fm9x2q", 1, contract.Migrate("kaditz"), "U01ALICE")),
         {"claims": "U01ALICE", "command": "migrate"}),
        ("nonsense", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_a_job_that_is_turned_away_is_recorded_with_what_it_claims(job: str, said: dict[str, str]) -> None:
    told = turned_away(job, "the job is not signed")
    assert (told.what, told.who, told.said) == (
        "refused",
        "",
        {"why": "turned away", "answer": "the job is not signed", **said},
    )
    assert turned_away(job, "again").id != told.id
