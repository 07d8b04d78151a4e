"""Define the commands on services. `services`: the names as the user typed them, () for all that they may see. Pure."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from imker.protocol.job_command import JobCommand
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE

MAX_REPLICAS = 10_000
Protocol = Literal["tcp", "udp", "sctp"]


@dataclass(frozen=True)
class ListServices(JobCommand):
    """Show the services. `filter`: the rows that the bot shows, such as "web_*,status=unhealthy", "" for all."""

    filter: str = ""
    type: Literal["services"] = "services"
    queue: ClassVar = READS_QUEUE

    @property
    def services(self) -> tuple[str, ...]:
        return ()

    @property
    def text(self) -> str:
        return f"{self.type} --filter {self.filter}" if self.filter else self.type


@dataclass(frozen=True)
class ShowService(JobCommand):
    """Show a service: its tasks by node, its settings, and why tasks do not run."""

    name: str
    type: Literal["service"] = "service"
    queue: ClassVar = READS_QUEUE

    @property
    def services(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def text(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class PublishedPort:
    """A port to publish. `on_host`: on the nodes of the tasks only, not on every node."""

    published: Annotated[int, Field(ge=1, le=65535)]
    target: Annotated[int, Field(ge=1, le=65535)]
    protocol: Protocol = "tcp"
    on_host: bool = False

    @property
    def text(self) -> str:
        protocol = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{self.published}:{self.target}{protocol}" + (",mode=host" if self.on_host else "")


@dataclass(frozen=True)
class CreateService(JobCommand):
    """Create a service."""

    name: str
    image: str
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)] = 1
    ports: tuple[PublishedPort, ...] = ()
    constraints: tuple[str, ...] = ()
    type: Literal["create"] = "create"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def services(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def text(self) -> str:
        flags = [f"--replicas {self.replicas}"] * (self.replicas != 1)
        flags += [f"--publish {port.text}" for port in self.ports]
        flags += [f"--constraint {constraint}" for constraint in self.constraints]
        return " ".join([self.type, self.name, self.image, *flags])


@dataclass(frozen=True)
class ScaleTarget:
    """A service, and how many replicas it should have."""

    service: str
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)]

    @property
    def text(self) -> str:
        return f"{self.service}={self.replicas}"


@dataclass(frozen=True)
class ScaleServices(JobCommand):
    """Change the number of replicas of services."""

    targets: tuple[ScaleTarget, ...]
    type: Literal["scale"] = "scale"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(target.service for target in self.targets)

    @property
    def text(self) -> str:
        return " ".join([self.type, *(target.text for target in self.targets)])


@dataclass(frozen=True)
class RestartService(JobCommand):
    """Replace all tasks of a service by new ones, as its update settings say."""

    name: str
    type: Literal["restart"] = "restart"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def services(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def text(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class RollBackService(JobCommand):
    """Return a service to its previous settings."""

    name: str
    type: Literal["rollback"] = "rollback"
    queue: ClassVar = CHANGES_QUEUE

    @property
    def services(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def text(self) -> str:
        return f"{self.type} {self.name}"
