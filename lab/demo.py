"""`make demo`: start hosts, the fake Slack, and Imker, and play the story. Exit with 0 only if it played as written."""

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
from lab.processes import Processes, imker_environment, run_imker
from lab.simulated import fleet as simulated
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import Story, StoryFailed

CONNECT_TIMEOUT = 60  # seconds; a busy machine takes long to start four processes
MAX_SINGLE_MIGRATIONS = 3  # with more hosts, the story migrates the fleet with one command
DEFAULT_HOSTS = ("connewitz", "tondi", "lausen")
HostsAndClientDir = tuple[tuple[LabHost, ...], Path]  # the hosts, and the folder with the client files


def demo(names: tuple[str, ...], stay: bool, port: int) -> int:
    """Play the story on hosts of these names and return the exit status.

    With `stay`, leave everything running until Ctrl-C. Raises LabError if something prevents the demo.
    """
    _require_free_port(port)
    started_at = time.monotonic()
    with (
        _start_hosts(names) as (hosts, client),
        tempfile.TemporaryDirectory(prefix="imker-demo-") as folder,
        run_fake_slack(port) as workspace,
    ):
        settings = imker_environment(workspace.url, client.resolve() / "imker.toml", Path(folder))
        log = client / "imker.log"
        log.unlink(missing_ok=True)
        with run_imker(settings, log) as processes:
            print(f"\nThe channel: {workspace.url}/    Imker's log: {log}")
            code = _play_story(Story(workspace), hosts, processes)
            print(f"\nThe story took {time.monotonic() - started_at:.0f} s. The channel: {workspace.url}/")
            if stay:
                _wait_for_interrupt()
            return code


def _require_free_port(port: int) -> None:
    """Raise LabError if the port is in use, before any host is booted."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise LabError(
            f"port {port} is in use, perhaps by another demo. Stop that one, or choose a port: make demo DEMO_PORT=8900"
        ) from error


def _start_hosts(names: tuple[str, ...]) -> AbstractContextManager[HostsAndClientDir]:
    """Start real hosts where possible, else simulated ones, and say so."""
    reason = _simulation_reason()
    if not reason:
        return _real_hosts(names)
    print(f"These hosts are SIMULATED ({reason}): real SSH and Engine API, with a small state machine behind them.")
    return _simulated_hosts(names)


def _simulation_reason() -> str:
    """Return why the hosts have to be simulated, "" if they can be real."""
    if os.environ.get("HOSTS_SIMULATED") == "1":
        return "HOSTS_SIMULATED=1"
    if platform.system() != "Linux":
        return "real hosts need Linux"
    return "" if os.geteuid() == 0 else "real hosts need root"


@contextmanager
def _real_hosts(names: tuple[str, ...]) -> Iterator[HostsAndClientDir]:
    hosts = fleet.begin(names)
    try:
        yield hosts, fleet.CLIENT_DIR
    finally:
        fleet.down()


@contextmanager
def _simulated_hosts(names: tuple[str, ...]) -> Iterator[HostsAndClientDir]:
    client = fleet.CLIENT_DIR / "simulated"
    with simulated.run_fleet(simulated.select_hosts(names), client) as simulated_fleet:
        yield simulated_fleet.hosts, client


def _play_story(story: Story, hosts: tuple[LabHost, ...], processes: Processes) -> int:
    try:
        _wait_for_bot(story.workspace, processes)
        story.play_fleet(hosts) if len(hosts) > MAX_SINGLE_MIGRATIONS else story.play_migrations(hosts)
    except (StoryFailed, TimeoutError) as error:
        print(f"\nThe story failed: {error}")
        return 1
    print("\nThe swarm is in the expected state.")
    return 0


def _wait_for_bot(workspace: Workspace, processes: Processes) -> None:
    deadline = time.monotonic() + CONNECT_TIMEOUT
    while not workspace.connection_count():
        if processes.by_name["bot"].poll() is not None or time.monotonic() > deadline:
            last_lines = "".join(f"\n  {line}" for line in processes.log.read_text().splitlines()[-5:])
            raise StoryFailed(f"the bot did not connect. Last lines of Imker's log:{last_lines}")
        time.sleep(0.1)


def _wait_for_interrupt() -> None:
    print("Everything keeps running for you to try. Press Ctrl-C to stop it.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        print("\nStopping.")
