"""`make demo`: start hosts, the fake Slack, and Imker, and play a story. Exit with 0 only if it played as written."""

import os
import platform
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from lab import day2_story
from lab.day2_story import DAY2_HOSTS, Day2Story
from lab.demo_hosts import DemoHosts, run_real_hosts, run_simulated_hosts
from lab.fleet import fleet
from lab.fleet.shell import LabError
from lab.processes import Processes, imker_environment, run_imker
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from lab.story import Story, StoryFailed

CONNECT_TIMEOUT = 60  # seconds; a busy machine takes long to start four processes
MAX_SINGLE_MIGRATIONS = 3  # with more hosts, the story migrates the fleet with one command
StoryName = Literal["migration", "day2"]
DEFAULT_HOSTS: dict[StoryName, tuple[str, ...]] = {"migration": ("connewitz", "tondi", "lausen"), "day2": DAY2_HOSTS}


def demo(names: tuple[str, ...], stay: bool, port: int, story: StoryName = "migration") -> int:
    """Play a story on hosts of these names and return the exit status.

    With `stay`, leave everything running until Ctrl-C. Raises LabError if something prevents the demo.
    """
    _require_free_port(port)
    if story == "day2":
        day2_story.require_roles(fleet.hosts_by_name(names))
    started_at = time.monotonic()
    with (
        _start_hosts(names) as hosts,
        tempfile.TemporaryDirectory(prefix="imker-demo-") as folder,
        run_fake_slack(port) as workspace,
    ):
        settings = imker_environment(workspace.url, hosts.client.resolve() / "imker.toml", Path(folder))
        log = hosts.client / "imker.log"
        log.unlink(missing_ok=True)
        print(f"\nThe channel: {workspace.url}/    Imker's log: {log}")
        code = 0 if story == "migration" else _play(lambda: _migrate_first(workspace, hosts, settings, log))
        with run_imker(settings, log) as processes:
            code = code or _play(lambda: _play_story(story, Story(workspace), hosts, processes))
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


def _start_hosts(names: tuple[str, ...]) -> AbstractContextManager[DemoHosts]:
    """Start real hosts where possible, else simulated ones, and say so."""
    reason = _simulation_reason()
    if not reason:
        return run_real_hosts(names)
    print(f"These hosts are SIMULATED ({reason}): real SSH and Engine API, with a small state machine behind them.")
    return run_simulated_hosts(names)


def _simulation_reason() -> str:
    """Return why the hosts have to be simulated, "" if they can be real."""
    if os.environ.get("HOSTS_SIMULATED") == "1":
        return "HOSTS_SIMULATED=1"
    if platform.system() != "Linux":
        return "real hosts need Linux"
    return "" if os.geteuid() == 0 else "real hosts need root"


def _play(play: Callable[[], None]) -> int:
    """Play a part of a story and return the exit status."""
    try:
        play()
    except (StoryFailed, TimeoutError) as error:
        print(f"\nThe story failed: {error}")
        return 1
    return 0


def _migrate_first(workspace: Workspace, hosts: DemoHosts, settings: Mapping[str, str], log: Path) -> None:
    """Move the hosts into swarm mode, then offer them the next Engine: Imker reads imker.toml when it starts."""
    day2_story.configure(hosts)
    with run_imker(settings, log) as processes:
        wait_for_bot(workspace, processes)
        Day2Story(Story(workspace), hosts).migrate()
    day2_story.offer_next_engine(hosts)


def _play_story(name: StoryName, story: Story, hosts: DemoHosts, processes: Processes) -> None:
    wait_for_bot(story.workspace, processes)
    if name == "day2":
        Day2Story(story, hosts).play()
    elif len(hosts.hosts) > MAX_SINGLE_MIGRATIONS:
        story.play_fleet(hosts.hosts)
    else:
        story.play_migrations(hosts.hosts)
    print("\nThe swarm is in the expected state.")


def wait_for_bot(workspace: Workspace, processes: Processes) -> None:
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
