"""Check containers and services that use the Docker socket against the oldest API version of a new Engine. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imker.protocol.values import Finding
from jobs.facts.packages import parse_engine_version

OLDEST_API_SINCE = {25: "1.24", 29: "1.44 (1.40 since 29.3)"}  # Engine -> the oldest API version it accepts
FIRST_STRICT_ENGINE = 29  # the first Engine that rejects the API versions of old clients
VERSION = re.compile(r":v?(\d+(?:\.\d+){0,2})")
# Part of an image's name -> the first version that speaks API 1.44, () if there is none.
FIRST_WITH_NEW_API: dict[str, tuple[int, ...]] = {
    "traefik": (3, 6, 1),
    "portainer/portainer": (2, 33, 5),
    "portainer/agent": (2, 33, 5),
    "containrrr/watchtower": (),
    "docker-gen": (0, 16, 0),
}


@dataclass(frozen=True)
class ApiClient:
    """A container or a service that uses the Docker socket."""

    name: str
    image: str


def check_api_clients(clients: Iterable[ApiClient], target_version: str) -> Iterator[Finding]:
    """Return a warning for clients that are too old for the Engine, and mention those that are not known."""
    major = int((parse_engine_version(target_version) or "0").split(".")[0])
    oldest = next((api for first, api in sorted(OLDEST_API_SINCE.items(), reverse=True) if major >= first), "")
    listed = tuple(clients)
    outdated = [client for client in listed if major >= FIRST_STRICT_ENGINE and is_outdated(client.image)]
    others = [client.name for client in listed if client not in outdated]
    if outdated:
        names = ", ".join(f"{client.name} ({client.image})" for client in outdated)
        text = f"{names}: too old for Engine {major}, which rejects API versions before {oldest}"
        yield Finding("API of helpers", "warn", text, "Upgrade them first. Otherwise they fail after the upgrade.")
    if others and oldest:
        users = ", ".join(others)
        text = f"containers that use the Docker socket: {users}; Engine {major} rejects API versions before {oldest}"
        hint = "Check that these containers support a newer API. Otherwise they fail after the upgrade."
        yield Finding("API of helpers", "pass", text, hint)


def is_outdated(image: str) -> bool:
    """Return whether the image is known to speak only API versions before 1.44. Without a version it is not known."""
    name = image.partition("@")[0]
    first = next((version for part, version in FIRST_WITH_NEW_API.items() if part in name), None)
    if first is None:
        return False
    match = VERSION.search(name.rpartition("/")[2])
    if not first:
        return True
    return match is not None and tuple(map(int, match[1].split("."))) < first[: match[1].count(".") + 1]
