"""Operate the nodes of a swarm of real hosts: drain, activate, promote, demote, remove, and a rolling upgrade."""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import BY_NAME, IMAGES
from lab.story import ALICE, Story
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.deployment import Deployment, run_on, start_deployment
from tests.e2e.support.real_swarm import create_swarm, engine, labels, nodes, task_hosts, wait_for
from tests.support.figures import record_figure

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(900)]
FIRST, SECOND, WORKER = HOST_NAMES
MANAGERS, WORKERS = ("connewitz", "tondi", "kaditz"), ("lausen", "pirita")
CREATE = ("docker", "service", "create", "--detach", "--no-resolve-image", "--endpoint-mode", "dnsrr")
PORT = 8088


@pytest.fixture
def imker(hosts: object) -> Iterator[Deployment]:
    """Create a swarm of two managers and a worker on Engine 20.10, and start a new Imker."""
    fleet.reset(HOST_NAMES)
    create_swarm((FIRST, SECOND), (WORKER,))
    with start_deployment() as started:
        yield started
    fleet.reset(HOST_NAMES)


def start(imker: Deployment, command: str, words: str = "planned: start?") -> str:
    """Send a command, press Start, and return the finished message's text."""
    message = imker.send_command(f"/swarm {command}")
    imker.wait_for_text(message, words)
    imker.press_button(ALICE, message, "Start")
    result = imker.wait_until_finished(message)
    assert result.text.startswith("✅"), result.plain_text
    return result.plain_text


def test_drains_activates_promotes_demotes_and_removes_a_node(imker: Deployment) -> None:
    run_on(FIRST, *CREATE, "--replicas", "3", "--name", "hive", IMAGES[0], "/idle")
    run_on(FIRST, *CREATE, "--name", "queen", "--constraint", f"node.hostname=={WORKER}", IMAGES[0], "/idle")
    wait_for(lambda: task_hosts(FIRST, "queen") == [WORKER] and WORKER in task_hosts(FIRST, "hive"))

    message = imker.send_command(f"/swarm drain {WORKER}")
    waiting = imker.wait_for_text(message, "planned: start?")
    moves = "Tasks move to other nodes: hive, queen", "they keep running: batch, cache"
    for words in (*moves, "so they are down", "queen does not fit"):
        assert words in waiting.plain_text
    imker.press_button(ALICE, message, "Start")
    drained = imker.wait_until_finished(message)
    assert "is drained" in drained.text, drained.plain_text
    assert (nodes(FIRST)[WORKER], "imker.drain" in labels(FIRST, WORKER)) == ("Ready Drain", True)
    assert run_on(WORKER, "docker", "ps", "-q", "--filter", "label=com.docker.swarm.task.id") == ""
    assert "web" in run_on(WORKER, "docker", "ps", "--format", "{{.Names}}").split()

    message = imker.send_command(f"/swarm activate {WORKER}")
    assert imker.wait_until_finished(message).text.startswith("✅")
    assert (nodes(FIRST)[WORKER], labels(FIRST, WORKER)) == ("Ready Active", "{}")
    wait_for(lambda: task_hosts(FIRST, "queen") == [WORKER])

    message = imker.send_command(f"/swarm promote {WORKER}")
    card = imker.wait_for_text(message, "waiting to be accepted as a manager")
    assert "Now 2 managers (survives no loss). Then 3 managers (survives the loss of 1)." in card.plain_text
    imker.accept_node(message)
    assert (nodes(FIRST)[WORKER], labels(FIRST, WORKER)) == ("Ready Active Reachable", "{}")
    assert task_hosts(FIRST, "queen") == [WORKER], "its tasks stay"

    result = start(imker, f"demote {WORKER}")
    assert "is a worker now" in result
    assert nodes(FIRST)[WORKER] == "Ready Active"
    assert run_on(WORKER, "docker", "info", "--format", "{{.Swarm.ControlAvailable}}").strip() == "false"

    leader = next(name for name, state in nodes(FIRST).items() if state.endswith("Leader"))
    result = start(imker, f"demote {leader}")
    remaining = next(name for name in (FIRST, SECOND) if name != leader)
    assert {name for name, state in nodes(remaining).items() if "Leader" in state} == {remaining}

    refused = imker.wait_until_finished(imker.send_command(f"/swarm demote {remaining}"))
    assert "is the last manager" in refused.plain_text

    start(imker, f"remove {WORKER}")
    assert WORKER not in nodes(remaining)
    assert run_on(WORKER, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "inactive"
    again = imker.wait_until_finished(imker.send_command(f"/swarm remove {WORKER}"))
    assert "nothing to do" in again.plain_text


def test_removes_a_manager_and_a_host_without_power(imker: Deployment) -> None:
    start(imker, f"remove {SECOND}")
    assert nodes(FIRST).keys() == {FIRST, WORKER}
    assert run_on(SECOND, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "inactive"
    run_on(WORKER, "systemctl", "stop", "docker.socket", "docker", "ssh")
    wait_for(lambda: nodes(FIRST)[WORKER].startswith("Down"))
    result = start(imker, f"remove {WORKER}")
    assert "docker swarm leave --force" in result
    assert nodes(FIRST).keys() == {FIRST}


# --- the rolling upgrade ----------------------------------------------------------------------------------------------


@dataclass
class Client:
    """A client of a service with a port on the nodes of its tasks. It counts requests that no node answers."""

    hosts: tuple[str, ...]
    requests: int = 0
    failures: list[str] = field(default_factory=list)

    def ask(self) -> None:
        """Ask the nodes in turn, as a load balancer does: a request fails if none answers."""
        self.requests += 1
        if not any(_answers(host) for host in self.hosts):
            self.failures.append(f"request {self.requests}")


def _answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{BY_NAME[host].address}:{PORT}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def asking(*works: Callable[[], None]) -> Iterator[None]:
    """Do each work again and again in a thread of its own until the block ends."""
    stopping = threading.Event()

    def repeat(work: Callable[[], None]) -> None:
        while not stopping.wait(0.1):
            work()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


@dataclass
class Observer:
    """Counts the managers that are reachable, as any manager that answers lists them."""

    fewest: int = 99

    def look(self) -> None:
        for name in MANAGERS:
            try:
                states = nodes(name)
            except AssertionError:
                continue
            self.fewest = min(self.fewest, sum("Leader" in each or "Reachable" in each for each in states.values()))
            return


@pytest.fixture
def five(hosts: object) -> Iterator[Deployment]:
    """Migrate three managers and two workers to Engine 26.1 with Imker, and offer 28.5 from then on."""
    migrating = fleet.up((*MANAGERS, *WORKERS))
    fleet.reset((*MANAGERS, *WORKERS))
    with start_deployment() as started:
        Story(started.workspace).play_fleet(migrating)
        config = fleet.CLIENT_DIR / "imker.toml"
        text = config.read_text().replace('from = "main", to = "experimental"', 'from = "experimental", to = "next"')
        config.write_text(f"{text}\n[fleet]\npause = 3\n")
        yield started
    fleet.down()
    fleet.up(HOST_NAMES)


def test_upgrades_three_managers_and_two_workers_while_a_service_answers(five: Deployment) -> None:
    """Two replicas answer a client throughout, and there is always a quorum of managers."""
    names, first = (*MANAGERS, *WORKERS), MANAGERS[0]
    assert {engine(name)[:4] for name in names} == {"26.1"}
    port = f"mode=host,published={PORT},target=80"
    run_on(first, *CREATE, "--replicas", "2", "--publish", port, "--stop-grace-period", "1s", "--name", "front",
           IMAGES[0], "sh", "-c", "echo hum > /index.html; exec httpd -f -p 80 -h /")  # fmt: skip
    client, observer = Client(names), Observer()
    wait_for(lambda: sum(map(_answers, names)) == 2)
    message = five.send_command("/swarm upgrade all --to 28.*")
    plan = five.wait_for_text(message, "planned: start?")
    leader = next(name for name, state in nodes(first).items() if state.endswith("Leader"))
    hosts = [name for line in plan.plain_text.splitlines() for name in names if re.search(rf"^\W*\d\W+{name}\b", line)]
    assert not hosts or hosts[2] == leader, plan.plain_text
    with asking(client.ask, observer.look):
        five.press_button(ALICE, message, "Start")
        result = five.wait_until_finished(message)
    assert result.text.startswith("✅"), result.plain_text
    assert "5 nodes upgraded" in result.text
    assert {engine(name)[:4] for name in names} == {"28.5"}
    assert {" ".join(state.split()[:2]) for state in nodes(first).values()} == {"Ready Active"}
    assert {labels(first, name) for name in names} == {"{}"}
    assert (client.failures, observer.fewest >= 2) == ([], True), f"{client}, {observer}"
    assert client.requests > 50
    record_figure("requests that failed during an upgrade of five nodes", f"0 of {client.requests}")
    again = five.wait_until_finished(five.send_command("/swarm upgrade all --to 28.*"))
    assert "nothing to do: all 5 nodes run the target Engine" in again.plain_text
    refused = five.wait_until_finished(five.send_command("/swarm upgrade all --to 26.*"))
    assert refused.text.startswith("🚫"), refused.plain_text
