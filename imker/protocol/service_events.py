"""Define the events about services, and their parts. Pure."""

from dataclasses import dataclass
from typing import Literal

from imker.protocol.values import UnixSeconds


@dataclass(frozen=True)
class ServiceRow:
    """A row of `docker service ls`, with what is wrong.

    `desired`: tasks that should run, of a job those that should complete; `running`: of a job, those that completed;
    `update`: state of its update, "" for none; `status`: "healthy", "unhealthy", "updating", or "paused"; `problem`:
    why tasks do not run, in a few words; `stack`: that it was deployed with, "" for none.
    """

    name: str
    mode: str
    running: int
    desired: int
    image: str
    ports: tuple[str, ...] = ()
    update: str = ""
    status: str = "healthy"
    problem: str = ""
    stack: str = ""


@dataclass(frozen=True)
class TaskRow:
    """A task. `node`: hostname, "" while it waits for one; `at`: UNIX seconds of its state; `error`: Docker's text."""

    node: str
    slot: int
    state: str
    at: float
    image: str
    error: str = ""
    is_current: bool = True


@dataclass(frozen=True)
class ServiceReason:
    """Why tasks do not run: in words, and in Docker's own words, "" for none."""

    text: str
    docker_text: str = ""


@dataclass(frozen=True)
class ServiceTable:
    """The services that the request may see, unhealthy ones first, for `/swarm services`.

    `answered_by`: the manager's host; `taken_at`: UNIX seconds.
    """

    answered_by: str
    taken_at: UnixSeconds
    rows: tuple[ServiceRow, ...]
    type: Literal["service_table"] = "service_table"


@dataclass(frozen=True)
class ServiceDetails:
    """One service, for `/swarm service`, and after a change that did not converge.

    `settings`: names and values, such as placement and update settings; `reasons`: why tasks do not run.
    """

    answered_by: str
    taken_at: UnixSeconds
    service: ServiceRow
    tasks: tuple[TaskRow, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    reasons: tuple[ServiceReason, ...] = ()
    type: Literal["service_details"] = "service_details"
