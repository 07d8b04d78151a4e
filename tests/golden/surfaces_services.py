"""Format the messages about services: tables, one service, plans, and how changes end."""

from dataclasses import replace

from bot.messages.block_kit import Message
from imker.protocol.commands import Command
from imker.protocol.events import (
    DecisionRequested,
    EventBody,
    JobFinished,
    JobStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
)
from imker.protocol.next_command import BotCommand, NextCommand
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
from imker.protocol.values import Finding
from jobs.facts.services.diff import diff_specs
from jobs.facts.services.model import Placement, Resources, Service, ServiceFacts, ServicePort, Task
from jobs.facts.services.rows import describe, service_rows
from jobs.handlers.plan_events import build_plan_event
from jobs.plan import Refusal
from jobs.plan.services import Digests, ServicePlan, plan_creation, plan_restart, plan_rollback, plan_scale
from tests.golden.surfaces_runs import AT, RECORD, messages, run_message
from tests.unit.jobs.facts.services.builders import GIB, node, service, task

NODES = (node("kaditz"), node("lausen"), node("tondi", role="manager"))
DIGESTS = Digests("now", "before")
WEB = service("shop_web", 4, stack="shop", ports=(ServicePort(80, 8080, "tcp", "ingress"),))
BAD = "No such image: shop:7"
FAILED = tuple(
    task("kaditz", 1, "rejected", desired_state="shutdown", error=BAD, image="shop:7", at=AT - at, id=f"t{at}")
    for at in (50, 40, 30)
)
BROKEN = replace(
    service("shop_web", 2, running=1), id="id-web", image="shop:7", stack="shop", update_state="paused",
    update_message="update paused due to failure or early termination of task t50", has_previous_spec=True,
    placement=Placement(("node.role==worker",), reserved=Resources(5 * 10**8, GIB)),
)  # fmt: skip
FULL = replace(WEB, placement=Placement(reserved=Resources(memory=2 * GIB)))
AGENT = service("agent", 3, mode="global")
BEFORE = {"TaskTemplate": {"ContainerSpec": {"Image": "shop:7", "Env": ["TOKEN=b"]}}, "Name": "shop_web"}
AFTER = {"TaskTemplate": {"ContainerSpec": {"Image": "shop:6", "Env": ["TOKEN=a"]}}, "Name": "shop_web"}
CREATE = CreateService("web", "nginx:1.27", 3, constraints=("node.role==worker",))
IMAGE = Finding("image", "pass", "the registry has nginx:1.27")


def facts(*services: Service, tasks: tuple[Task, ...] = ()) -> ServiceFacts:
    return ServiceFacts("tondi", services, tasks, NODES)


BROKEN_FACTS = facts(BROKEN, AGENT, tasks=(*FAILED, task("lausen", 2), task("", 1, "ready", image="shop:7", at=AT)))


def run(command: Command, *bodies: EventBody) -> Message:
    record = replace(RECORD, command=command, command_text=command.text)
    is_over = isinstance(bodies[-1], JobFinished | DecisionRequested)
    return run_message(JobStarted(), *bodies, record=record, rq="finished" if is_over else "running")


def plan_message(command: Command, service_plan: ServicePlan | Refusal) -> Message:
    """Return the message of a plan that waits, or of a refusal."""
    if isinstance(service_plan, Refusal):
        end = JobFinished(
            "refused",
            service_plan.summary,
            "Nothing was changed.",
            service_plan.hint,
            next_commands=service_plan.next_commands,
        )
        return run(command, end)
    event = replace(build_plan_event(service_plan.plan), diff=service_plan.diff)
    return run(command, event, DecisionRequested("start", "f", services=("shop_web",)))


def convergence_message(*bodies: EventBody) -> Message:
    (change, wait) = build_plan_event(scale(WEB, 6).plan).steps
    bodies = (StepStarted(change.key), StepDone(change.key, "4 → 6"), StepStarted(wait.key), *bodies)
    return run(ScaleServices((ScaleTarget("web", 6),)), build_plan_event(scale(WEB, 6).plan), *bodies)


def scale(about: Service, number: int) -> ServicePlan:
    service_plan = plan_scale(((about, number, DIGESTS),), facts(about))
    assert isinstance(service_plan, ServicePlan)
    return service_plan


def services() -> str:
    """Return the page."""
    wait = "AwaitConvergence shop_web"
    next_commands = (
        NextCommand(BotCommand("retry", "k3fm9x2q")),
        NextCommand(RollBackService("shop_web"), "return to its previous settings"),
        NextCommand(ShowService("shop_web"), "see it again"),
    )
    failure = JobFinished(
        "failed", "shop_web: 1 of 2 running: image shop:7 was not found, 3 times",
        "Docker paused the update. The change was made, and Docker keeps trying.", next_commands=next_commands,
    )  # fmt: skip
    scale_to = {number: ScaleServices((ScaleTarget("web", number),)) for number in (0, 1, 9)}
    rollback = plan_rollback(BROKEN, DIGESTS)
    assert isinstance(rollback, ServicePlan)
    return messages(
        {
            "services": run(
                ListServices(),
                ServiceTable("tondi", AT, service_rows(BROKEN_FACTS, BROKEN_FACTS.services)),
                JobFinished("done", "2 services"),
            ),
            "a service that is broken": run(
                ShowService("web"), describe(BROKEN, BROKEN_FACTS, AT), JobFinished("done", "shop_web")
            ),
            "create": plan_message(CREATE, plan_creation(CREATE, facts(), "nginx:1.27@sha256:0", (), IMAGE)),
            "create a name that exists": plan_message(
                CREATE, plan_creation(CREATE, facts(service("web")), "nginx:1.27", (), IMAGE)
            ),
            "scale to nothing": plan_message(scale_to[0], scale(WEB, 0)),
            "scale by more than half": plan_message(scale_to[1], scale(WEB, 1)),
            "scale beyond the room": plan_message(scale_to[9], scale(FULL, 13)),
            "scale a global service": plan_message(scale_to[9], plan_scale(((AGENT, 9, DIGESTS),), facts(AGENT))),
            "scale during an update": plan_message(
                scale_to[9], plan_scale(((replace(WEB, update_state="updating"), 9, DIGESTS),), facts(WEB))
            ),
            "restart after a paused update": plan_message(RestartService("web"), plan_restart(BROKEN, DIGESTS)),
            "roll back": plan_message(RollBackService("web"), replace(rollback, diff=diff_specs(BEFORE, AFTER))),
            "roll back without previous settings": plan_message(
                RollBackService("web"), plan_rollback(WEB, Digests("now"))
            ),
            "converging": convergence_message(StepProgress(wait, "5 of 6 running, 12 s")),
            "converged": convergence_message(
                StepDone(wait, "converged in 41 s: 6 of 6 running"),
                JobFinished("done", "shop_web converged in 41 s: 6 of 6 running."),
            ),
            "not converged": convergence_message(
                StepFailed(wait, failure.summary), describe(BROKEN, BROKEN_FACTS, AT), failure
            ),
        }
    )
