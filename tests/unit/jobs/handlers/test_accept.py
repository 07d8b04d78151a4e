"""Check acceptance in the job: it asks first, acts only on what was approved, and otherwise asks again."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from imker.clock import Timestamp
from imker.config import AcceptanceRules
from imker.protocol import commands, events, values
from imker.protocol.commands import Accept, Approval, Reject, Request
from imker.protocol.events import DecisionRequested, JobFinished, Planned
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.events.writer import EventWriter
from jobs.facts.swarm import PENDING_LABEL
from jobs.handlers import dispatch
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken
from jobs.settings import Settings
from tests.support import streams

ADDRESSES = {"connewitz": "198.18.0.60", "tondi": "198.18.0.73", "kaditz": "198.18.0.39", "pirita": "198.18.0.72"}
INVENTORY = {name: Host(name, address, tls=Path()) for name, address in ADDRESSES.items()}
ALICE, BOB, CAROL = "U01ALICE", "U02BOB", "U03CAROL"


@dataclass
class Swarm:
    """Two managers and a pending one. Steps change this state."""

    spec: dict[str, Any] = field(
        default_factory=lambda: {"Role": "worker", "Availability": "drain", "Labels": {PENDING_LABEL: "manager"}}
    )
    managers: list[str] = field(default_factory=lambda: ["connewitz", "tondi"])
    claims: str = "kaditz"
    marks: list[FencingToken] = field(default_factory=list)
    address: str = ADDRESSES["kaditz"]
    liar: str = ""  # a host that claims to be kaditz's node

    def connect(self, host: Host, timeout: float = 10) -> Any:
        return Engine(host, self)


@dataclass
class Engine:
    host: Host
    swarm: Swarm
    version = {"Version": "26.1.5"}  # noqa: RUF012

    def info(self) -> dict[str, Any]:
        manages = self.host.name in self.swarm.managers
        cluster = {"Cluster": {"ID": "ours"}} if manages else {}
        node = "kaditz" if self.host.name == self.swarm.liar else self.host.name
        place = {"LocalNodeState": "active", "NodeID": f"id-{node}", "ControlAvailable": manages}
        return {"Swarm": {**place, **cluster}}

    def autolock(self) -> bool:
        return False

    def nodes(self) -> list[dict[str, Any]]:
        return [self._node(name) for name in (*self.swarm.managers, "kaditz")]

    def change_node(self, node: str, change: Any) -> None:
        assert node == "id-kaditz"
        self.swarm.spec = change(self.swarm.spec)

    def claim_token(self, token: FencingToken) -> None:
        self.swarm.marks.append(token)

    def _node(self, name: str) -> dict[str, Any]:
        is_candidate = name == "kaditz"
        manages = self.swarm.spec["Role"] == "manager" if is_candidate else True
        return {
            "ID": f"id-{name}",
            "Spec": self.swarm.spec if is_candidate else {"Role": "manager", "Availability": "active", "Labels": {}},
            "Description": {
                "Hostname": self.swarm.claims if is_candidate else name,
                "Engine": {"EngineVersion": "26.1.5"},
            },
            "Status": {"State": "ready", "Addr": self.swarm.address if is_candidate else ADDRESSES[name]},
            **({"ManagerStatus": {"Leader": name == "connewitz", "Reachability": "reachable"}} if manages else {}),
        }


def no_shell(host: Host) -> Any:
    raise AssertionError("acceptance must not need SSH: the host may be down")


@dataclass
class Case:
    redis: Redis
    swarm: Swarm = field(default_factory=Swarm)
    rights: AcceptanceRules = field(default_factory=AcceptanceRules)
    moment: Timestamp = field(default_factory=lambda: Timestamp(1_000_000.0, "boot", 100.0))
    job: int = 0

    def accept(
        self, *people: str, fingerprint: str = "", within: tuple[str, ...] = ("kaditz",)
    ) -> list[events.EventBody]:
        """Run the next job of the run, approved by `people` for the last question, or for `fingerprint`."""
        approvals = tuple(Approval(by, fingerprint or self.question.fingerprint, 0.0) for by in people)
        return self.run_job(Accept("id-kaditz"), approvals, within)

    def run_job(
        self, command: commands.Command, approvals: tuple[Approval, ...] = (), within: tuple[str, ...] = ("kaditz",)
    ) -> list[events.EventBody]:
        self.job += 1
        request = Request("r", self.job, command, ALICE, approvals, allowed_hosts=within)
        writer = EventWriter(self.redis, streams.KEY, "r", self.job, lambda: self.moment.unix)
        context = JobContext(
            request, Settings(rights=self.rights), INVENTORY, writer, self.redis,
            no_shell, self.swarm.connect, lambda: self.moment,
        )  # fmt: skip
        dispatch(command, context)
        return [event.body for event in self.events() if event.job == self.job]

    @property
    def question(self) -> DecisionRequested:
        return [event.body for event in self.events() if isinstance(event.body, DecisionRequested)][-1]

    def events(self) -> tuple[events.Event, ...]:
        return streams.read_events(self.redis, "r")

    def pass_time(self, seconds: float) -> None:
        self.moment = replace(self.moment, boot_seconds=self.moment.boot_seconds + seconds)

    @property
    def promoted(self) -> bool:
        return bool(self.swarm.spec["Role"] == "manager")


@pytest.fixture
def case(redis: Redis) -> Case:
    return Case(redis)


def test_asks_first_then_promotes_once(case: Case) -> None:
    question = case.accept()[-1]
    assert isinstance(question, DecisionRequested)
    assert question.candidate is not None
    assert (question.candidate.host, question.candidate.observed_address) == ("kaditz", "198.18.0.39")
    assert question.quorum == values.Quorum(2, 0, 3, 1)
    assert (question.required_approvals, question.asked_at, question.valid_seconds) == (1, case.moment, 1800.0)
    assert not case.promoted
    end = case.accept(BOB)[-1]
    assert isinstance(end, JobFinished)
    assert end.outcome == "done"
    assert case.swarm.spec == {"Role": "manager", "Availability": "active", "Labels": {}}
    again = case.accept(BOB, fingerprint=question.fingerprint)[-1]
    assert isinstance(again, JobFinished)
    assert again.outcome == "refused"


DRIFTS: dict[str, Any] = {
    "another name": lambda case: setattr(case.swarm, "claims", "connewitz"),
    "a manager less": lambda case: case.swarm.managers.remove("tondi"),
    "another manager": lambda case: setattr(case.swarm, "managers", ["connewitz", "pirita"]),
    "half an hour": lambda case: case.pass_time(1802),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_asks_again_if_the_approval_is_outdated(case: Case, drift: str) -> None:
    case.accept()
    DRIFTS[drift](case)
    within = ("*",)
    question = case.accept(BOB, within=within)[-1]
    assert isinstance(question, DecisionRequested)
    assert question.approval_problem in (
        "the node or the swarm changed after the question was posted",
        "the approval expired: it was processed more than 30 minutes after the question",
    )
    assert not case.promoted
    case.accept(BOB, within=within)
    assert case.promoted, "and the new question can be approved"


SAYS = {"tondi's address": "the managers list node id-kaditz at tondi's address, but tondi reports node id-tondi",
        "no host's address": "node id-kaditz is at 10.0.0.1, which no host of the inventory has"}  # fmt: skip


@pytest.mark.parametrize("at", SAYS)
def test_refuses_a_node_at_the_address_of_another_host(case: Case, at: str) -> None:
    case.accept()
    case.swarm.address = ADDRESSES["tondi"] if at == "tondi's address" else "10.0.0.1"
    for command in (Accept("id-kaditz"), Reject("id-kaditz")):
        with pytest.raises(JobError, match=SAYS[at]):
            case.run_job(command, (Approval(BOB, case.question.fingerprint, 0.0),), ("*",))
    assert case.swarm.spec["Labels"] == {PENDING_LABEL: "manager"}
    assert not case.promoted


def test_refuses_a_node_that_two_hosts_claim(case: Case) -> None:
    case.accept()
    case.swarm.liar = "tondi"
    case.swarm.managers.remove("tondi")
    with pytest.raises(JobError, match="kaditz and tondi both report node id-kaditz"):
        case.accept(BOB, within=("*",))
    assert not case.promoted


@pytest.mark.parametrize(
    ("rights", "people", "promoted"),
    [
        (AcceptanceRules(), (ALICE,), False),
        (AcceptanceRules(accept_own=True), (ALICE,), True),
        (AcceptanceRules(accept_count=2), (BOB,), False),
        (AcceptanceRules(accept_count=2), (BOB, BOB), False),
        (AcceptanceRules(accept_count=2), (BOB, ALICE), False),
        (AcceptanceRules(accept_count=2), (BOB, CAROL), True),
    ],
)
def test_the_job_checks_the_approvals_itself(
    case: Case, rights: AcceptanceRules, people: tuple[str, ...], promoted: bool
) -> None:
    case.rights = rights
    case.accept()
    assert isinstance(case.accept(*people)[-1], JobFinished if promoted else DecisionRequested)
    assert case.promoted is promoted


def test_ignores_an_approval_of_an_unknown_question(case: Case) -> None:
    assert isinstance(case.accept(BOB, fingerprint="f00d")[-1], DecisionRequested)
    assert not case.promoted


def test_ignores_an_approval_of_an_older_question(case: Case) -> None:
    first = case.accept()[-1]
    assert isinstance(first, DecisionRequested)
    case.job += 1  # a job that ended without an outcome
    assert isinstance(case.accept(BOB, fingerprint=first.fingerprint)[-1], DecisionRequested)
    assert not case.promoted


@pytest.mark.parametrize("command", [Accept("id-kaditz"), Reject("id-kaditz"), Reject("id-kaditz", remove=True)])
def test_refuses_a_host_outside_the_permission(case: Case, command: commands.Command) -> None:
    with pytest.raises(JobError, match="permission was granted for lei-\\*, not for kaditz"):
        case.run_job(command, within=("lei-*",))
    assert case.swarm.spec["Labels"] == {PENDING_LABEL: "manager"}
    assert not any(isinstance(event.body, Planned) for event in case.events())
