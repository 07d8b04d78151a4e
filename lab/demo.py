"""`make demo`: hosts, Slack, Imker and the story, in one command. Exit status 0 only if all went as it says."""

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lab.fleet import fleet
from lab.fleet.hosts import LabHost
from lab.imker import environment, imker
from lab.simulated import fleet as simulated
from lab.slack.client import Workspace
from lab.slack.running import running
from lab.story import Story, StoryFailed

PORT = 8899
FEW = 3  # hosts that are moved one by one; more with one command
THREE = ("connewitz", "tondi", "lausen")
Hosts = tuple[tuple[LabHost, ...], Path]  # and the folder with the client's side


def demo(names: tuple[str, ...], stay: bool) -> int:
    """`names`: hosts of the lab; `stay`: leave all running until Ctrl-C."""
    began = time.monotonic()
    with (
        _hosts(names) as (hosts, client),
        tempfile.TemporaryDirectory(prefix="imker-demo-") as folder,
        running(PORT) as workspace,
    ):
        settings = environment(workspace.url, client.resolve() / "imker.toml", Path(folder))
        with imker(settings, client / "imker.log"):
            print(f"\nThe channel: {workspace.url}/    Imker's log: {client}/imker.log")
            _connected(workspace)
            code = _played(Story(workspace), hosts)
            print(f"\nThe story took {time.monotonic() - began:.0f} s. The channel: {workspace.url}/")
            if stay:
                _stay()
            return code


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
    hosts = fleet.named(names)
    if fleet.status():
        fleet.down()
    try:
        fleet.up([host.name for host in hosts])
        yield hosts, fleet.CLIENT
    finally:
        fleet.down()


@contextmanager
def _imitated(names: tuple[str, ...]) -> Iterator[Hosts]:
    client = fleet.CLIENT / "simulated"
    with simulated.running(simulated.named(names), client) as up:
        yield up.hosts, client


def _connected(workspace: Workspace) -> None:
    deadline = time.monotonic() + 20
    while not workspace.sockets():
        if time.monotonic() > deadline:
            raise StoryFailed("the bot did not connect; see its log")
        time.sleep(0.1)


def _played(story: Story, hosts: tuple[LabHost, ...]) -> int:
    try:
        story.fleet(hosts) if len(hosts) > FEW else story.play(hosts)
    except (StoryFailed, TimeoutError) as failed:
        print(f"\nThe story went otherwise:\n{failed}")
        return 1
    print("\nThe swarm is as the story says.")
    return 0


def _stay() -> None:
    print("All is left running to play with; Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        print("\nending")
