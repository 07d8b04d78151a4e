"""Changes of services survive crashes, exclude each other, and reach only services that the request covers."""

import multiprocessing
import signal
import time

import pytest

from imker.failpoints import Failpoint
from imker.protocol.codec import encode_message
from imker.protocol.commands import Approval, Command
from imker.protocol.events import DecisionRequested, EventBody
from imker.protocol.service_commands import (
    CreateService,
    ListServices,
    RestartService,
    RollBackService,
    ScaleServices,
    ScaleTarget,
    ShowService,
)
from imker.protocol.service_events import ServiceTable
from jobs.execute import exclusive
from jobs.locking.lease import LockHolder, acquire_lock
from tests.simulated.conftest import JobRunner
from tests.support import killable_job
from tests.support.service_jobs import outcome_of, run, show_details, wait_until_healthy
from tests.support.simulated_swarm import add_service, change_service, form_swarm, show_service

FORK = multiprocessing.get_context("forkserver")
KILLS: tuple[tuple[Failpoint, int], ...] = (
    ("job.locked", 0),
    ("step.reported", 0),
    ("step.done", 0),
    ("step.reported", 1),
)


def kill_job(imker: JobRunner, command: Command, point: Failpoint, times: int) -> None:
    """Run the command, and its approved plan, until the failpoint kills it. Its locks expire."""
    question = imker.run_job(command)[-1]
    approvals = (Approval("U01ALICE", question.fingerprint, time.time()),) if _asks(question) else ()
    request = encode_message(imker.build_request(command, *approvals))
    socket = imker.redis.connection_pool.connection_kwargs["path"]
    config = imker.fleet.folder / "imker.toml"
    job = FORK.Process(target=killable_job.run_killable_job, args=(request, config, socket, point, times))
    job.start()
    job.join(60)
    assert job.exitcode == -signal.SIGKILL
    for lock in imker.redis.keys("lock:*"):
        imker.redis.delete(lock)


def _asks(last: EventBody) -> bool:
    return isinstance(last, DecisionRequested)


@pytest.mark.parametrize(("point", "times"), KILLS)
def test_a_repeated_command_completes_what_a_killed_job_began(swarm: JobRunner, point: Failpoint, times: int) -> None:
    create = CreateService("web", "nginx:1.11", 4)
    kill_job(swarm, create, point, times)
    assert outcome_of(run(swarm, create)).outcome in ("done", "unchanged")
    scale = ScaleServices((ScaleTarget("web", 1),))
    kill_job(swarm, scale, point, times)
    assert outcome_of(run(swarm, scale)).outcome in ("done", "unchanged")
    wait_until_healthy(swarm, "web")
    changes = [action.detail for action in swarm.fleet.world.history.actions("service") if not action.error]
    assert [detail.split()[0] for detail in changes] == ["create", "update"], "each is done once"
    assert show_details(swarm, "web").service.desired == 1


def test_a_rollback_is_not_undone_by_repeating_it(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "web")
    wait_until_healthy(swarm, "web")
    change_service(swarm.fleet, "web", "nosuch:2")
    kill_job(swarm, RollBackService("web"), "step.done", 0)
    last = swarm.run_job(RollBackService("web"))[-1]
    if isinstance(last, DecisionRequested):
        wait_until_healthy(swarm, "web")
    else:
        assert outcome_of([last]).summary == "a rollback of web is running already"
    assert show_service(swarm.fleet, "web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == "nginx:1.11"


def test_one_run_at_a_time_changes_a_service(swarm: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusive, "LOCK_TIMEOUT", 0.2)
    add_service(swarm.fleet, "web")
    add_service(swarm.fleet, "api")
    holder = LockHolder("another", "U01ALICE", "scale web", time.time())
    with acquire_lock(swarm.redis, "service:web", holder):
        waiting = outcome_of(swarm.run_job(RestartService("web")))
        assert (waiting.outcome, "service:web is locked by run another" in waiting.summary) == ("failed", True)
        assert outcome_of(swarm.run_job(RestartService("api"))).outcome == "done"


@pytest.mark.parametrize(
    "command",
    [ShowService("web"), RestartService("web"), ScaleServices((ScaleTarget("web", 1),)), RollBackService("web")],
)
def test_a_job_checks_the_full_name_of_a_service(swarm: JobRunner, command: Command) -> None:
    """The bot authorized "web", and no more."""
    add_service(swarm.fleet, "shop_web", Labels={"com.docker.stack.namespace": "shop"})
    refused = outcome_of(swarm.run_job(command, services=("web",)))
    assert (refused.outcome, refused.summary) == ("failed", "permission was granted for web, not for service shop_web")
    assert outcome_of(swarm.run_job(command, services=())).outcome == "failed"
    assert swarm.fleet.world.history.actions("service") == []


def test_a_list_shows_only_services_that_the_request_covers(swarm: JobRunner) -> None:
    add_service(swarm.fleet, "shop_web")
    add_service(swarm.fleet, "blog_web")
    (table,) = [body for body in swarm.run_job(ListServices(), services=("shop_*",)) if isinstance(body, ServiceTable)]
    assert [row.name for row in table.rows] == ["shop_web"]
    hidden = outcome_of(swarm.run_job(ShowService("blog_wep"), services=("shop_*",)))
    assert "blog_web" not in hidden.hint


def test_without_a_manager_there_is_nothing_to_show(imker: JobRunner) -> None:
    assert outcome_of(imker.run_job(ListServices())).summary == "there is no swarm yet"
    form_swarm(imker.fleet)
    imker.run_job(ListServices())
    imker.fleet["connewitz"].dockerd.stop()
    assert outcome_of(imker.run_job(ListServices())).summary.startswith("only workers are reachable")
