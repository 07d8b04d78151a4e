"""Accept several managers of a fleet at the same time: one promotion after the other."""

import threading

from imker.protocol.commands import Migrate
from imker.protocol.events import JobFinished, StepDone, StepStarted
from imker.protocol.run_id import host_run_id
from imker.run_streams import read_event_log
from tests.simulated.conftest import HOST_NAMES, JobRunner
from tests.simulated.fleet_legs import FIRST, FLEET, PENDING, ask, plan_fleet, run_leg
from tests.support import streams


def promotion(imker: JobRunner, host: str) -> tuple[float, float]:
    """Return when the host's promotion began and ended."""
    events = read_event_log(imker.redis, streams.KEY, host_run_id(FLEET, host)).events
    (began,) = [event.at for event in events if event.body == StepStarted("PromoteNode")]
    (ended,) = [event.at for event in events if isinstance(event.body, StepDone) and event.body.key == "ActivateNode"]
    return began, ended


def test_accepts_two_managers_at_the_same_time_and_promotes_one_by_one(imker: JobRunner) -> None:
    plan_fleet(imker)
    run_leg(imker, FIRST, 1, Migrate(FIRST, "manager"))
    answers = {host: ask(imker, host) for host in PENDING}
    last: dict[str, object] = {}

    def accept(host: str) -> None:
        command, approval = answers[host]
        last[host] = run_leg(imker, host, 2, command, approval)[-1]

    threads = [threading.Thread(target=accept, args=(host,)) for host in PENDING]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {type(body) for body in last.values()} == {JobFinished}, "each question was answered once"
    nodes = imker.fleet.world.swarm.nodes.values()
    assert {node.hostname: node.role for node in nodes} == dict.fromkeys(HOST_NAMES, "manager")
    (_, first_end), (second_start, _) = sorted(promotion(imker, host) for host in PENDING)
    assert first_end <= second_start
