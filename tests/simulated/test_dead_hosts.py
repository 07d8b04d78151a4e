"""Migrate one host while others are down: each of them is waited for only where a decision needs its answer."""

import time
from collections import Counter
from typing import Any

import pytest

from imker.protocol.commands import Approval, Migrate
from imker.protocol.events import DecisionRequested
from jobs.connectors import engine_transport
from jobs.connectors.ssh import SshShell
from jobs.connectors.timeouts import SILENT_TIMEOUT
from jobs.errors import Unreachable
from jobs.inventory.model import Host
from tests.simulated.conftest import JobRunner

DEAD = ("tondi", "lausen")


@pytest.fixture
def waits(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Let two hosts be down. Count how often their answer is waited for.

    "tondi Engine", "tondi Engine, briefly", "tondi SSH".
    """
    counts: Counter[str] = Counter()
    names = {imker.host(name).address: name for name in DEAD}
    connect, shell = engine_transport._connect, imker.shell

    def connect_engine(request: Any, context: Any, deadline: float) -> Any:
        is_brief = deadline - time.monotonic() <= SILENT_TIMEOUT
        for address, name in names.items():
            if f"//{address}:" in request.url:
                counts[f"{name} Engine{', briefly' if is_brief else ''}"] += 1
                raise TimeoutError
        return connect(request, context, deadline)

    def open_shell(host: Host) -> SshShell:
        if host.name in DEAD:
            counts[f"{host.name} SSH"] += 1
            raise Unreachable(f"{host.name} is down", host=host.name)
        return shell(host)

    monkeypatch.setattr(engine_transport, "_connect", connect_engine)
    monkeypatch.setattr(imker, "shell", open_shell)
    return counts


def test_waits_for_hosts_that_are_down_once_and_before_the_swarm_is_initialized(
    imker: JobRunner, waits: Counter[str]
) -> None:
    command = Migrate("connewitz", "manager")
    question = imker.run_job(command)[-1]
    assert isinstance(question, DecisionRequested), "a swarm may exist on a host that is down"
    assert waits == {"tondi Engine": 1, "lausen Engine": 1}
    waits.clear()
    last = imker.run_job(command, Approval("U02BOB", question.fingerprint, time.time()))[-1]
    assert (last.outcome, last.summary) == ("done", "connewitz joined the swarm.")
    for_the_plan = {"tondi Engine": 1, "lausen Engine": 1}
    to_initialize_a_swarm = {"tondi Engine, briefly": 1, "lausen Engine, briefly": 1}
    assert waits == for_the_plan | to_initialize_a_swarm
