"""The command table: parser, permissions and help derive from its rows. Pure."""

from bot.commands.arguments import (
    audit_subject,
    containers,
    excluded_hosts,
    host_and_role,
    no_arguments,
    run_to_control,
    run_to_decide,
    run_to_show,
    store_host,
)
from bot.commands.model import CommandSpec, ParsedCommand, ShowHelp
from imker.protocol.commands import ListHosts, ListNodes, Migrate, PlanHost, RunDoctor

ROLE_ARGUMENTS = "HOST [--manager or --worker] [--docker-group]"
COMMANDS = (
    CommandSpec(
        "hosts", "", "every host, with its Engine and its place",
        "hosts", "read", "every host", no_arguments(ListHosts),
    ),
    CommandSpec(
        "nodes", "", "the swarm's nodes; managers that wait are Pending",
        "nodes", "read", "every host", no_arguments(ListNodes),
    ),
    CommandSpec(
        "plan", ROLE_ARGUMENTS, "what a migration would do; changes nothing",
        "plan {host}", "read", "named host", host_and_role(PlanHost),
    ),
    CommandSpec(
        "migrate", ROLE_ARGUMENTS, "move a host into swarm mode",
        "migrate {host}", "change", "named host", host_and_role(Migrate),
    ),
    CommandSpec(
        "migrate all", "[--without HOST,...]", "move the whole fleet, in order",
        "migrate all --without {host}", "change", "every host", excluded_hosts,
    ),
    CommandSpec(
        "accept", "ID", "make a waiting host a manager; ID is a run's or a node's",
        "accept k3fm9x2q", "accept", "any host", run_to_decide("accept"),
    ),
    CommandSpec(
        "reject", "ID [--remove]", "leave it a worker, or take it out",
        "reject k3fm9x2q --remove", "accept", "any host", run_to_decide("reject"),
    ),
    CommandSpec(
        "continue", "RUN", "go on despite the warnings shown",
        "continue k3fm9x2q", "change", "any host", run_to_decide("continue"),
    ),
    CommandSpec(
        "pause", "[RUN]", "stop after the step it is in",
        "pause k3fm9x2q", "change", "any host", run_to_control("pause"),
    ),
    CommandSpec(
        "resume", "[RUN]", "go on with what was paused",
        "resume k3fm9x2q", "change", "any host", run_to_control("resume"),
    ),
    CommandSpec(
        "cancel", "RUN", "do not begin, or stop after the step it is in",
        "cancel k3fm9x2q", "change", "any host", run_to_control("cancel"),
    ),
    CommandSpec(
        "retry", "RUN", "the same again, planned from what is true now",
        "retry k3fm9x2q", "change", "any host", run_to_control("retry"),
    ),
    CommandSpec(
        "start", "HOST CONTAINER...", "start containers that did not come back",
        "start {host} web", "change", "named host", containers,
    ),
    CommandSpec(
        "retire", "HOST", "stop the key-value store; then, asked again, remove it",
        "retire {host}", "change", "named host", store_host,
    ),
    CommandSpec(
        "status", "[RUN]", "what is going on, what waits, what was last",
        "status k3fm9x2q", "read", "any host", run_to_show,
    ),
    CommandSpec(
        "audit", "[HOST, USER or RUN]", "who did what, newest first",
        "audit {host}", "read", "any host", audit_subject,
    ),
    CommandSpec(
        "doctor", "", "check tokens, Redis, keys and hosts, and say what to do",
        "doctor", "change", "every host", no_arguments(RunDoctor),
    ),
    CommandSpec("help", "", "this", "help", "", "any host", no_arguments(ShowHelp)),
)  # fmt: skip
BY_NAME = {spec.name: spec for spec in COMMANDS}


def spec_of(command: ParsedCommand) -> CommandSpec:
    """Return the table's row for a parsed command."""
    return BY_NAME[command.type.replace("_", " ")]
