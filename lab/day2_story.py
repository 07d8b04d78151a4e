"""The demo's second story: a day with a swarm of three managers and two workers, after their migration.

Alice watches, changes services, drains a node, and upgrades all nodes. Raises StoryFailed when the channel shows
something else.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lab.demo_hosts import DemoHosts
from lab.fleet.hosts import LabHost
from lab.fleet.shell import LabError
from lab.slack.client import VisibleMessage
from lab.story import ALICE, OPS, Story, StoryFailed

DAY2_HOSTS = ("connewitz", "tondi", "kaditz", "pirita", "tolkewitz")
MIN_MANAGERS, MIN_WORKERS = 3, 2
SERVICE, IMAGE, MISSING_IMAGE = "shop", "shop:1", "shop:2"
WATCH_TIMEOUT = 180  # seconds until the watch has seen a change that holds
SETTLE_TIMEOUT = 60  # seconds until the tasks of a node that got work again run
UPGRADE_TIMEOUT = 150  # seconds for the upgrade of one node
CONFIG = "\n[watch]\nevery = 10\n\n[fleet]\npause = 3\n"
OLD_SOURCE, NEW_SOURCE = 'from = "main", to = "experimental"', 'from = "experimental", to = "next"'


def require_roles(hosts: Sequence[LabHost]) -> None:
    """Raise LabError unless the hosts become three managers and two workers."""
    managers = sum(host.role == "manager" for host in hosts)
    if managers < MIN_MANAGERS or len(hosts) - managers < MIN_WORKERS:
        raise LabError(f"the story day2 needs three managers and two workers, such as: HOSTS={' '.join(DAY2_HOSTS)!r}")


def configure(hosts: DemoHosts) -> None:
    """Let the watch check every 10 seconds, so that the story is short."""
    with (hosts.client / "imker.toml").open("a") as file:
        file.write(CONFIG)


def offer_next_engine(hosts: DemoHosts) -> None:
    """Let imker.toml take the Engine from the next component of apt's source."""
    config = hosts.client / "imker.toml"
    config.write_text(config.read_text().replace(OLD_SOURCE, NEW_SOURCE))


@dataclass
class Day2Story:
    """Plays the story. `hosts` are nodes of one swarm already."""

    story: Story
    hosts: DemoHosts

    def migrate(self) -> None:
        """Move all hosts into swarm mode, without printing it: the first story shows that."""
        self.story.say(f"\nFirst, Imker moves {len(self.hosts.hosts)} hosts into swarm mode.")
        replace(self.story, say=lambda _: None).play_fleet(self.hosts.hosts)

    def play(self) -> None:
        worker, other = [host.name for host in self.hosts.hosts if host.role == "worker"][:2]
        self.see_the_watch()
        self.change_a_service()
        self.break_and_roll_back()
        self.drain_and_activate(worker)
        self.lose_power(other)
        self.upgrade_all()
        self.story.show_home(ALICE, "all Ready")

    def see_the_watch(self) -> None:
        """Wait until the watch has looked at the nodes, and show its state."""
        count = f"{len(self.hosts.hosts)} nodes"
        deadline = time.monotonic() + WATCH_TIMEOUT
        while count not in self._ask_in_private("/swarm watch").plain_text:
            if time.monotonic() > deadline:
                raise StoryFailed(f"the watch should have seen {count}")
            time.sleep(2)
        self.story.say("\nalice: /swarm watch")
        self.story.show(self._ask_in_private("/swarm watch"))

    def change_a_service(self) -> None:
        self.hosts.add_image(IMAGE)
        self.start(f"/swarm create {SERVICE} {IMAGE} --replicas 3", f"{SERVICE} converged in")
        self.story.run_command(f"/swarm scale {SERVICE}=5", f"{SERVICE} converged in")
        self.story.run_command(f"/swarm restart {SERVICE}", f"{SERVICE} converged in")

    def break_and_roll_back(self) -> None:
        """Let another user deploy an image that does not exist. See why the service is unhealthy, and roll it back."""
        self.story.say(f"\nanother user deploys {MISSING_IMAGE}, which does not exist")
        self.hosts.deploy_missing_image(SERVICE, MISSING_IMAGE)
        self._read_services("1 of 1 service is unhealthy")
        details = self.story.run_command(f"/swarm service {SERVICE}", f"image {MISSING_IMAGE} was not found")
        before = self.story.latest_ts()
        self.story.press(ALICE, details, "Roll back")
        question = self.story.follow(before, "planned: start?")
        if f"- image: {MISSING_IMAGE}" not in question.plain_text:
            raise StoryFailed("the question should show what the rollback changes")
        self._press_start(question, f"{SERVICE} converged in")
        self._read_services("1 service, all healthy")

    def drain_and_activate(self, name: str) -> None:
        question = self.start(f"/swarm drain {name}", "is drained")
        if f"Tasks move to other nodes: {SERVICE}" not in question.plain_text:
            raise StoryFailed("the question should name the service whose tasks move")
        self.story.run_command(f"/swarm activate {name}", "is active")

    def lose_power(self, name: str) -> None:
        """Turn a host off, and on again, without a command: the watch reports both."""
        before = self.story.latest_ts()
        self.story.say(f"\n{name} loses power")
        self.hosts.power_off(name)
        incident = self._wait_for_incident(name, before)
        self.story.show(incident)
        self.story.say(f"\n{name} gets power again")
        self.hosts.power_on(name)
        self.story.wait_until(incident.ts, "is Ready again", seconds=WATCH_TIMEOUT)

    def upgrade_all(self) -> None:
        """Upgrade all Engines, one node at a time."""
        count = len(self.hosts.hosts)
        self.start("/swarm upgrade all --to 28.*", f"{count} nodes upgraded", UPGRADE_TIMEOUT * count)
        table = self.story.run_command("/swarm nodes", f"{count} nodes").plain_text
        if table.count("Ready  Active") < count or table.count(" 28.5") < count:
            raise StoryFailed("all nodes should be Ready and Active with Engine 28.5")
        self._read_services("1 service, all healthy")

    def start(self, command: str, expected: str, seconds: float = WATCH_TIMEOUT) -> VisibleMessage:
        """Send a command that asks, and start its plan. Return the question."""
        question = self.story.run_command(command, "planned: start?")
        self._press_start(question, expected, seconds)
        return question

    def _press_start(self, question: VisibleMessage, expected: str, seconds: float = WATCH_TIMEOUT) -> None:
        self.story.press(ALICE, question, "Start")
        self.story.wait_until(question.ts, expected, seconds=seconds)

    def _read_services(self, expected: str) -> None:
        """List the services until the message says this: tasks start a moment after a node gets work again."""
        deadline = time.monotonic() + SETTLE_TIMEOUT
        while expected not in self.story.run_command("/swarm services", "Reported by").plain_text:
            if time.monotonic() > deadline:
                raise StoryFailed(f"the services should be listed with {expected!r}")
            time.sleep(2)

    def _ask_in_private(self, text: str) -> VisibleMessage:
        """Send a command as Alice and return the reply that only she sees."""
        before = self.story.latest_ts()
        self.story.workspace.say(ALICE, OPS, text)
        return self.story.workspace.wait_for_message(ALICE, OPS, lambda visible: visible.ephemeral, 30, after=before)

    def _wait_for_incident(self, name: str, after: str) -> VisibleMessage:
        """Return the watch's message about a host that is down."""

        def matches(visible: VisibleMessage) -> bool:
            return f"`{name}` is Down" in visible.plain_text and not visible.thread_ts

        return self.story.workspace.wait_for_message(ALICE, OPS, matches, WATCH_TIMEOUT, after=after)
