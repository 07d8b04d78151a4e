"""Versions and behavior of the simulated Engines of several ages. Pure."""

from dataclasses import dataclass
from typing import Literal

# Debian 12's 20.10; 1.11 without swarm mode; 1.12-rc with pending membership.
EngineAge = Literal["2016", "classic", "rc"]


@dataclass(frozen=True)
class Pace:
    """Durations in seconds: shorter than on real hosts, but never zero."""

    upgrade: float = 1.0
    download: float = 0.1
    restart: float = 0.1
    boot: float = 1.0
    join: float = 0.1
    task_start: float = 0.2  # of a service's task
    task_restart: float = 0.3  # until a task that ended is started again
    monitor: float = 0.3  # after a task of an update started, until it counts as well
    join_timeout: float = 20.0  # then the Engine responds with a timeout, and the join continues


# Package versions that apt offers, by component of the source.
PACKAGE_VERSIONS: dict[EngineAge, dict[str, dict[str, str]]] = {
    "2016": {
        "main": {"docker.io": "20.10.24+dfsg1-1+deb12u1"},
        "experimental": {"docker.io": "26.1.5+dfsg1-9+lab1", "docker-cli": "26.1.5+dfsg1-9"},
        "next": {"docker.io": "28.5.2+dfsg3-1", "docker-cli": "28.5.2+dfsg3-1"},
    },
    "classic": {
        "main": {"docker.io": "1.11.2~ds1-1"},
        "experimental": {"docker.io": "26.1.5+dfsg1-9+lab1", "docker-cli": "26.1.5+dfsg1-9"},
    },
    "rc": {
        "main": {"docker.io": "1.12.0~rc3-1"},
        "experimental": {"docker.io": "26.1.5+dfsg1-9+lab1", "docker-cli": "26.1.5+dfsg1-9"},
    },
}


def engine_version(package: str) -> str:
    """Return the Engine version of a package version: 1.12.0-rc3 for "1.12.0~rc3-1"."""
    return package.removeprefix("5:").split("+")[0].split("~ds")[0].removesuffix("-1").replace("~rc", "-rc")


def major_minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def api_version(version: str) -> str:
    """Return the API version of an Engine."""
    table = {(1, 11): "1.23", (1, 12): "1.24", (20, 10): "1.41", (26, 1): "1.45", (28, 5): "1.51"}
    return table[major_minor(version)]


def accepts_membership(version: str) -> bool:
    """Return whether a node can wait for acceptance: only in 1.12's release candidates."""
    return version.startswith("1.12.0-rc")
