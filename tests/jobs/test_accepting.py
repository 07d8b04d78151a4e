"""Accepting, from the job's side: asked first, carried out only on what was shown, and asked anew with the reason."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from imker.moment import Moment
from jobs import changes, contract
from jobs.contract import Accept, Approval, Ended, Planned, Reject, Request, Waiting
from jobs.errors import JobError
from jobs.facts import PENDING
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.lock import Mark
from jobs.office import Office
from jobs.settings import RightsSection, Settings
from tests import streams

ADDRESSES = {"connewitz": "198.18.0.60", "tondi": "198.18.0.73", "kaditz": "198.18.0.39"}
INVENTORY = {name: Host(name, address, tls=Path()) for name, address in ADDRESSES.items()}
ALICE, BOB, CAROL = "U01ALICE", "U02BOB", "U03CAROL"


@dataclass
class Swarm:
    """Two managers and one that waits; what a step changes is changed here."""

    spec: dict[str, Any] = field(
        default_factory=lambda: {"Role": "worker", "Availability": "drain", "Labels": {PENDING: "manager"}}
    )
    managers: list[str] = field(default_factory=lambda: ["connewitz", "tondi"])
    claims: str = "kaditz"
    marks: list[Mark] = field(default_factory=list)
    address: str = ADDRESSES["kaditz"]
    liar: str = ""  # a host that says it is kaditz's node

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

    def claim(self, mark: Mark) -> None:
        self.swarm.marks.append(mark)

    def _node(self, name: str) -> dict[str, Any]:
        own = name == "kaditz"
        manages = self.swarm.spec["Role"] == "manager" if own else True
        return {
            "ID": f"id-{name}",
            "Spec": self.swarm.spec if own else {"Role": "manager", "Availability": "active", "Labels": {}},
            "Description": {"Hostname": self.swarm.claims if own else name, "Engine": {"EngineVersion": "26.1.5"}},
            "Status": {"State": "ready", "Addr": self.swarm.address if own else ADDRESSES[name]},
            **({"ManagerStatus": {"Leader": name == "connewitz", "Reachability": "reachable"}} if manages else {}),
        }


def no_shell(host: Host) -> Any:
    raise AssertionError("who is in the swarm is the Engines' matter: the host may be away")


@dataclass
class Case:
    redis: Redis
    swarm: Swarm = field(default_factory=Swarm)
    rights: RightsSection = field(default_factory=RightsSection)
    moment: Moment = field(default_factory=lambda: Moment(1_000_000.0, "boot", 100.0))
    job: int = 0

    def accept(self, *people: str, shown: str = "", within: tuple[str, ...] = ("kaditz",)) -> list[contract.Body]:
        """The run's next job; `people` said yes to what was shown last, or to `shown`."""
        approvals = tuple(Approval(by, shown or self.asked.fingerprint, 0.0) for by in people)
        return self.does(Accept("id-kaditz"), approvals, within)

    def does(
        self, command: contract.Command, approvals: tuple[Approval, ...] = (), within: tuple[str, ...] = ("kaditz",)
    ) -> list[contract.Body]:
        self.job += 1
        request = Request("r", self.job, command, ALICE, approvals, within=within)
        journal = Journal(self.redis, streams.KEY, "r", self.job, lambda: self.moment.wall)
        office = Office(
            request, Settings(rights=self.rights), INVENTORY, journal, self.redis,
            no_shell, self.swarm.connect, lambda: self.moment,
        )  # fmt: skip
        if isinstance(command, Accept):
            changes.accept(office, command.node)
        else:
            assert isinstance(command, Reject)
            changes.reject(office, command.node, command.remove)
        return [event.body for event in self.events() if event.job == self.job]

    @property
    def asked(self) -> Waiting:
        return [event.body for event in self.events() if isinstance(event.body, Waiting)][-1]

    def events(self) -> tuple[contract.Event, ...]:
        return streams.events(self.redis, "r")

    def later(self, seconds: float) -> None:
        self.moment = replace(self.moment, since=self.moment.since + seconds)

    @property
    def promoted(self) -> bool:
        return bool(self.swarm.spec["Role"] == "manager")


@pytest.fixture
def case(redis: Redis) -> Case:
    return Case(redis)


def test_it_asks_first_then_does_and_once(case: Case) -> None:
    question = case.accept()[-1]
    assert isinstance(question, Waiting)
    assert question.candidate is not None
    assert (question.candidate.host, question.candidate.observed_address) == ("kaditz", "198.18.0.39")
    assert question.quorum == contract.Quorum(2, 0, 3, 1)
    assert (question.needed, question.asked, question.seconds) == (1, case.moment, 1800.0)
    assert not case.promoted
    end = case.accept(BOB)[-1]
    assert isinstance(end, Ended)
    assert end.outcome == "done"
    assert case.swarm.spec == {"Role": "manager", "Availability": "active", "Labels": {}}
    again = case.accept(BOB, shown=question.fingerprint)[-1]
    assert isinstance(again, Ended)
    assert again.outcome == "refused"


DRIFTS: dict[str, Any] = {
    "another name": lambda case: setattr(case.swarm, "claims", "connewitz"),
    "a manager less": lambda case: case.swarm.managers.remove("tondi"),
    "half an hour": lambda case: case.later(1802),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_what_is_no_longer_as_shown_is_asked_anew_with_the_reason(case: Case, drift: str) -> None:
    case.accept()
    DRIFTS[drift](case)
    within = ("*",)
    question = case.accept(BOB, within=within)[-1]
    assert isinstance(question, Waiting)
    assert question.refused in (
        "it is no longer as it was shown",
        "the yes came to be carried out more than 30 minutes after the question",
    )
    assert not case.promoted
    case.accept(BOB, within=within)
    assert case.promoted, "and the new question can be answered"


SAYS = {"tondi's address": "node id-kaditz is seen at tondi's address, and tondi says it is node id-tondi",
        "no host's address": "no host of the inventory has 10.0.0.1, where node id-kaditz is seen"}  # fmt: skip


@pytest.mark.parametrize("at", SAYS)
def test_a_node_that_is_seen_at_another_address_is_not_accepted(case: Case, at: str) -> None:
    case.accept()
    case.swarm.address = ADDRESSES["tondi"] if at == "tondi's address" else "10.0.0.1"
    for command in (Accept("id-kaditz"), Reject("id-kaditz")):
        with pytest.raises(JobError, match=SAYS[at]):
            case.does(command, (Approval(BOB, case.asked.fingerprint, 0.0),), ("*",))
    assert case.swarm.spec["Labels"] == {PENDING: "manager"}
    assert not case.promoted


def test_a_node_that_two_hosts_say_they_are_is_not_accepted(case: Case) -> None:
    case.accept()
    case.swarm.liar = "tondi"
    case.swarm.managers.remove("tondi")
    with pytest.raises(JobError, match="kaditz and tondi both say they are node id-kaditz"):
        case.accept(BOB, within=("*",))
    assert not case.promoted


@pytest.mark.parametrize(
    ("rights", "people", "promoted"),
    [
        (RightsSection(), (ALICE,), False),
        (RightsSection(accept_own=True), (ALICE,), True),
        (RightsSection(accept_count=2), (BOB,), False),
        (RightsSection(accept_count=2), (BOB, BOB), False),
        (RightsSection(accept_count=2), (BOB, ALICE), False),
        (RightsSection(accept_count=2), (BOB, CAROL), True),
    ],
)
def test_the_job_counts_for_itself(case: Case, rights: RightsSection, people: tuple[str, ...], promoted: bool) -> None:
    case.rights = rights
    case.accept()
    assert isinstance(case.accept(*people)[-1], Ended if promoted else Waiting)
    assert case.promoted is promoted


def test_a_yes_to_what_nobody_asked_is_none(case: Case) -> None:
    assert isinstance(case.accept(BOB, shown="f00d")[-1], Waiting)
    assert not case.promoted


def test_a_yes_holds_for_the_question_before_it_alone(case: Case) -> None:
    first = case.accept()[-1]
    assert isinstance(first, Waiting)
    case.job += 1  # a job that died without a word
    assert isinstance(case.accept(BOB, shown=first.fingerprint)[-1], Waiting)
    assert not case.promoted


@pytest.mark.parametrize("command", [Accept("id-kaditz"), Reject("id-kaditz"), Reject("id-kaditz", remove=True)])
def test_a_right_for_other_hosts_does_not_reach_this_one(case: Case, command: contract.Command) -> None:
    with pytest.raises(JobError, match="the right that was checked is for lei-\\*, not for kaditz"):
        case.does(command, within=("lei-*",))
    assert case.swarm.spec["Labels"] == {PENDING: "manager"}
    assert not any(isinstance(event.body, Planned) for event in case.events())
