"""Dispatch a command to its handler: one file per command."""

from imker.protocol import commands
from jobs.context import JobContext
from jobs.handlers import accept, containers, doctor, fleet, hosts, key_value_store, migrate, nodes, plan


def dispatch(command: commands.Command, context: JobContext) -> None:
    """Call the command's handler, which emits events and one outcome. Raises JobError if the command fails."""
    match command:
        case commands.ListHosts():
            hosts.show_hosts(context)
        case commands.ListNodes():
            nodes.show_nodes(context)
        case commands.PlanHost(host, role, docker_group):
            plan.show_plan(context, host, role, docker_group)
        case commands.Migrate(host, role, docker_group):
            migrate.migrate_host(context, host, role, docker_group)
        case commands.Accept(node):
            accept.accept_node(context, node)
        case commands.Reject(node, remove):
            accept.reject_node(context, node, remove)
        case commands.MigrateAll(without):
            fleet.plan_fleet(context, without)
        case commands.RunDoctor():
            doctor.show_doctor(context)
        case commands.StartContainers(host, names):
            containers.start_containers(context, host, names)
        case commands.RetireStore(host):
            key_value_store.retire_store(context, host)
