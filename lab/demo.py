"""`make demo`: hosts, Slack, Imker and the story, in one command. Exit status 0 only if all went as it says."""

import os
import platform
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lab.fleet import fleet
from lab.fleet.hosts import LabHost
from lab.fleet.shell import LabError
from lab.imker import Processes, environment, imker
from lab.simulated import fleet as simulated
from lab.slack.client import Workspace
from lab.slack.running import running
from lab.story import Story, StoryFailed

CONNECT = 60  # seconds; a busy machine starts four processes slowly
FEW = 3  # hosts that are moved one by one; more with one command
THREE = ("connewitz", "tondi", "lausen")
Hosts = tuple[tuple[LabHost, ...], Path]  # and the folder with the client's side


def demo(names: tuple[str, ...], stay: bool, port: int) -> int:
    """`names`: hosts of the lab; `stay`: leave all running until Ctrl-C. Raises LabError where it cannot be."""
    _expect_free(port)
    began = time.monotonic()
    with (
        _hosts(names) as (hosts, client),
        tempfile.TemporaryDirectory(prefix="imker-demo-") as folder,
        running(port) as workspace,
    ):
        settings = environment(workspace.url, client.resolve() / "imker.toml", Path(folder))
        log = client / "imker.log"
        log.unlink(missing_ok=True)
        with imker(settings, log) as processes:
            print(f"\nThe channel: {workspace.url}/    Imker's log: {log}")
            code = _played(Story(workspace), hosts, processes)
            print(f"\nThe story took {time.monotonic() - began:.0f} s. The channel: {workspace.url}/")
            if stay:
                _stay()
            return code


def _expect_free(port: int) -> None:
    """Before anything is booted: another demo may have the channel's address."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as taken:
        raise LabError(
            f"port {port} is taken, by another demo? End that one, or choose: make demo DEMO_PORT=8900"
        ) from taken


def _hosts(names: tuple[str, ...]) -> AbstractContextManager[Hosts]:
    """Real ones where they can be; else simulated, which is said, never hidden."""
    why = _simulated()
    if not why:
        return _real(names)
    print(f"These hosts are SIMULATED ({why}): real SSH and Engine API, and a small state machine behind them.")
    return _imitated(names)


def _simulated() -> str:
    """Why, "" when hosts are to be real."""
    if os.environ.get("HOSTS_SIMULATED") == "1":
        return "HOSTS_SIMULATED=1"
    if platform.system() != "Linux":
        return "real ones need Linux"
    return "" if os.geteuid() == 0 else "real ones need root"


@contextmanager
def _real(names: tuple[str, ...]) -> Iterator[Hosts]:
    hosts = fleet.begin(names)
    try:
        yield hosts, fleet.CLIENT
    finally:
        fleet.down()


@contextmanager
def _imitated(names: tuple[str, ...]) -> Iterator[Hosts]:
    client = fleet.CLIENT / "simulated"
    with simulated.running(simulated.named(names), client) as up:
        yield up.hosts, client


def _played(story: Story, hosts: tuple[LabHost, ...], processes: Processes) -> int:
    try:
        _connected(story.workspace, processes)
        story.fleet(hosts) if len(hosts) > FEW else story.play(hosts)
    except (StoryFailed, TimeoutError) as failed:
        print(f"\nThe story went otherwise: {failed}")
        return 1
    print("\nThe swarm is as the story says.")
    return 0


def _connected(workspace: Workspace, processes: Processes) -> None:
    deadline = time.monotonic() + CONNECT
    while not workspace.sockets():
        if processes.running["bot"].poll() is not None or time.monotonic() > deadline:
            last = "".join(f"\n  {line}" for line in processes.log.read_text().splitlines()[-5:])
            raise StoryFailed(f"the bot did not connect. Imker's last words:{last}")
        time.sleep(0.1)


def _stay() -> None:
    print("All is left running to play with; Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        print("\nending")
