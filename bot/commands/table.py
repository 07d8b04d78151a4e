"""The command table: parser, permissions and help derive from its rows. Pure."""

from bot.commands.arguments import (
    audit_subject,
    containers,
    excluded_hosts,
    filtered,
    host_and_role,
    host_and_version,
    mute_duration,
    no_arguments,
    one_host,
    only_version,
    run_to_control,
    run_to_decide,
    run_to_show,
)
from bot.commands.model import CommandSpec, ControlWatch, ParsedCommand, ShowHelp, ShowWatch
from bot.commands.service_arguments import new_service, one_service, scale_targets, service_pattern
from imker.protocol.commands import ListHosts, ListNodes, Migrate, PlanHost, RetireStore, RunDoctor
from imker.protocol.node_commands import Activate, Demote, Drain, Promote, Remove
from imker.protocol.service_commands import RestartService, RollBackService, ShowService

FILTER_ARGUMENTS = "[--filter CONDITION,...] [--private]"
ROLE_ARGUMENTS = "HOST [--manager or --worker] [--docker-group]"
COMMANDS = (
    CommandSpec(
        "hosts", FILTER_ARGUMENTS, "all hosts, with Engine and swarm state",
        "hosts --filter status=down", "read", "every host", filtered(ListHosts),
    ),
    CommandSpec(
        "nodes", FILTER_ARGUMENTS, "the swarm's nodes; managers to accept are Pending",
        "nodes --filter role=manager", "read", "every host", filtered(ListNodes),
    ),
    CommandSpec(
        "services", f"[PATTERN] {FILTER_ARGUMENTS}", "the swarm's services, unhealthy ones first",
        "services web_*", "read", "services", service_pattern,
    ),
    CommandSpec(
        "service", "SERVICE [--private]", "a service's tasks and settings, and why tasks do not run",
        "service web_api", "read", "services", one_service(ShowService),
    ),
    CommandSpec(
        "plan", f"{ROLE_ARGUMENTS} [--private]", "what a migration would do; changes nothing",
        "plan {host}", "read", "named host", host_and_role(PlanHost),
    ),
    CommandSpec(
        "migrate", ROLE_ARGUMENTS, "move a host into swarm mode",
        "migrate {host}", "change", "named host", host_and_role(Migrate),
    ),
    CommandSpec(
        "migrate all", "[--without HOST,...]", "move all hosts, in order",
        "migrate all --without {host}", "change", "every host", excluded_hosts,
    ),
    CommandSpec(
        "accept", "ID", "accept a pending manager (ID of its run or node)",
        "accept k3fm9x2q", "accept", "any host", run_to_decide("accept"),
    ),
    CommandSpec(
        "reject", "ID [--remove]", "reject a pending manager: it stays a worker; `--remove` removes it",
        "reject k3fm9x2q --remove", "accept", "any host", run_to_decide("reject"),
    ),
    CommandSpec(
        "continue", "RUN", "continue despite the warnings, or start a plan that waits",
        "continue k3fm9x2q", "change", "any host", run_to_decide("continue"),
    ),
    CommandSpec(
        "pause", "[RUN]", "pause after the current step",
        "pause k3fm9x2q", "change", "any host", run_to_control("pause"),
    ),
    CommandSpec(
        "resume", "[RUN]", "resume a paused run",
        "resume k3fm9x2q", "change", "any host", run_to_control("resume"),
    ),
    CommandSpec(
        "cancel", "RUN", "cancel a run after the current step",
        "cancel k3fm9x2q", "change", "any host", run_to_control("cancel"),
    ),
    CommandSpec(
        "retry", "RUN", "plan and run again",
        "retry k3fm9x2q", "change", "any host", run_to_control("retry"),
    ),
    CommandSpec(
        "start", "HOST CONTAINER...", "start containers that are not running",
        "start {host} web", "change", "named host", containers,
    ),
    CommandSpec(
        "retire", "HOST", "stop an unused key-value store, then offer to remove it",
        "retire {host}", "change", "named host", one_host(RetireStore),
    ),
    CommandSpec(
        "drain", "HOST", "move a node's service tasks to other nodes",
        "drain {host}", "change", "named host", one_host(Drain),
    ),
    CommandSpec(
        "activate", "HOST", "let a drained node run service tasks again",
        "activate {host}", "change", "named host", one_host(Activate),
    ),
    CommandSpec(
        "promote", "HOST", "ask to accept a worker as a manager",
        "promote {host}", "change", "named host", one_host(Promote),
    ),
    CommandSpec(
        "demote", "HOST", "make a manager a worker",
        "demote {host}", "change", "named host", one_host(Demote),
    ),
    CommandSpec(
        "remove", "HOST", "drain a node and remove it from the swarm",
        "remove {host}", "change", "named host", one_host(Remove),
    ),
    CommandSpec(
        "upgrade", "HOST [--to VERSION]", "upgrade a node's Engine, drained meanwhile",
        "upgrade {host} --to 28.*", "change", "named host", host_and_version,
    ),
    CommandSpec(
        "upgrade all", "[--to VERSION]", "upgrade all nodes, one at a time, the leader last",
        "upgrade all --to 28.*", "change", "every host", only_version,
    ),
    CommandSpec(
        "create", "SERVICE IMAGE [--replicas N] [--publish P:T] [--constraint C]", "create a service",
        "create web nginx:1.27 --replicas 3 --publish 8080:80", "change", "services", new_service,
    ),
    CommandSpec(
        "scale", "SERVICE=N...", "change how many tasks services run",
        "scale web_api=5 web_worker=2", "change", "services", scale_targets,
    ),
    CommandSpec(
        "restart", "SERVICE", "replace a service's tasks by new ones",
        "restart web_api", "change", "services", one_service(RestartService),
    ),
    CommandSpec(
        "rollback", "SERVICE", "return a service to its previous settings",
        "rollback web_api", "change", "services", one_service(RollBackService),
    ),
    CommandSpec(
        "status", "[RUN]", "running, waiting, and recent runs",
        "status k3fm9x2q", "read", "any host", run_to_show,
    ),
    CommandSpec(
        "audit", "[HOST, USER or RUN]", "the audit log, newest first",
        "audit {host}", "read", "any host", audit_subject,
    ),
    CommandSpec(
        "watch", "", "whether the watch is on, and what is wrong in the swarm",
        "watch", "read", "every host", no_arguments(ShowWatch),
    ),
    CommandSpec(
        "watch on", "", "watch the swarm and post what changes; ends a mute",
        "watch on", "change", "every host", no_arguments(lambda: ControlWatch("on")),
    ),
    CommandSpec(
        "watch off", "", "stop watching the swarm",
        "watch off", "change", "every host", no_arguments(lambda: ControlWatch("off")),
    ),
    CommandSpec(
        "watch mute", "DURATION", "post nothing new for a while",
        "watch mute 2h", "change", "every host", mute_duration,
    ),
    CommandSpec(
        "doctor", "", "check tokens, Redis, keys, and hosts",
        "doctor", "change", "every host", no_arguments(RunDoctor),
    ),
    CommandSpec("help", "", "show this help", "help", "", "any host", no_arguments(ShowHelp)),
)  # fmt: skip
BY_NAME = {spec.name: spec for spec in COMMANDS}


def spec_of(command: ParsedCommand) -> CommandSpec:
    """Return the table's row for a parsed command."""
    return BY_NAME[command.type.replace("_", " ")]
