"""Format commands as users type them, for hints. Pure."""

from imker.protocol import commands
from imker.protocol.commands import Command, Role


def format_command(command: Command) -> str:
    """Return the slash command, such as `/swarm migrate kaditz --manager`."""
    return f"/swarm {_format_arguments(command)}"


def _format_arguments(command: Command) -> str:
    match command:
        case commands.PlanHost(host, role, docker_group):
            return f"plan {host}{_format_flags(role, docker_group)}"
        case commands.Migrate(host, role, docker_group):
            return f"migrate {host}{_format_flags(role, docker_group)}"
        case commands.MigrateAll(excluded):
            return "migrate all" + (f" --without {','.join(excluded)}" if excluded else "")
        case commands.Accept(node):
            return f"accept {node}"
        case commands.Reject(node, remove):
            return f"reject {node}{' --remove' if remove else ''}"
        case commands.StartContainers(host, names):
            return f"start {' '.join((host, *names))}"
        case commands.RetireStore(host):
            return f"retire {host}"
        case _:
            return command.type


def _format_flags(role: Role | None, docker_group: bool) -> str:
    return (f" --{role}" if role else "") + (" --docker-group" if docker_group else "")
