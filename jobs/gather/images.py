"""Find out whether an image of a new service exists: in its registry, or on the nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from imker.protocol.values import Finding
from jobs.connectors.service_calls import RegistryAnswer
from jobs.errors import JobError
from jobs.facts.own_node import hosts_at
from jobs.facts.services.model import ServiceFacts
from jobs.facts.services.parse import short_image
from jobs.gather.connections import Connections
from jobs.gather.parallel import ParallelCalls
from jobs.inventory.model import Host

REGISTRY_TIMEOUT, HOST_TIMEOUT = 10.0, 4.0  # seconds
MISSING = ("not found", "unknown", "no such image", "denied", "unauthorized")  # words of registries that have no image


@dataclass(frozen=True)
class ImageFacts:
    """An image. `pinned`: its name with the digest, if the registry has it; `finding`: whether it exists."""

    pinned: str
    finding: Finding
    platforms: tuple[tuple[str, str], ...] = ()


def find_image(connections: Connections, managers: Sequence[str], facts: ServiceFacts, image: str) -> ImageFacts:
    """Return whether nodes can run the image: the registry has it, or each node that takes tasks."""
    manager = connections.inventory[managers[0]]
    answer = _ask_registry(connections, manager, image)
    if not answer.failure:
        pinned = f"{image}@{answer.digest}" if answer.digest and "@" not in image else image
        return ImageFacts(pinned, Finding("image", "pass", f"the registry has {image}"), answer.platforms)
    candidates = {
        node.node.hostname: hosts_at(node.node, connections.inventory) for node in facts.nodes if node.takes_tasks
    }
    hosts = {matching[0].name: matching[0] for matching in candidates.values() if len(matching) == 1}
    with_image = _hosts_with(connections, hosts, image)
    return ImageFacts(image, _finding(short_image(image), answer.failure, len(candidates), with_image))


def _ask_registry(connections: Connections, manager: Host, image: str) -> RegistryAnswer:
    """Return the registry's answer, as a failure if there is none in time."""
    try:
        return connections.engine_factory(manager, timeout=REGISTRY_TIMEOUT).ask_registry(image)
    except JobError as error:
        return RegistryAnswer("", failure=error.summary)


def _finding(image: str, failure: str, nodes: int, with_image: Sequence[str]) -> Finding:
    """Return a pass if all nodes have the image, a warning if some have it or nothing is known, else a block."""
    if nodes and len(with_image) == nodes:
        return Finding("image", "pass", f"all {nodes} nodes have {image}")
    if with_image:
        listed = ", ".join(sorted(with_image))
        text = f"only {len(with_image)} of {nodes} nodes have {image} ({listed}), and the registry does not offer it"
        return Finding("image", "warn", f"{text}: {failure}", "Tasks on other nodes will fail.")
    if any(word in failure.lower() for word in MISSING):
        return Finding("image", "block", f"image {image} was not found: {failure}", "Check its name and tag.")
    text = f"no node has image {image}, and its registry cannot be asked: {failure}"
    return Finding("image", "block", text, "Load the image on the nodes, or make the registry reachable.")


def _hosts_with(connections: Connections, hosts: dict[str, Host], image: str) -> tuple[str, ...]:
    def has_image(host: Host) -> bool:
        try:
            return not connections.engine_factory(host, timeout=HOST_TIMEOUT).find_image(image)
        except JobError:
            return False

    answers = ParallelCalls(has_image, hosts, HOST_TIMEOUT).results()
    return tuple(name for name, matching in answers.items() if matching)
