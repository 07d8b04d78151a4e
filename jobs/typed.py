"""Commands as people type them, for words on what to type next. Pure."""

from jobs import contract
from jobs.contract import Command, Role


def typed(command: Command) -> str:
    return f"/swarm {_words(command)}"


def _words(command: Command) -> str:
    match command:
        case contract.PlanHost(host, role, docker_group):
            return f"plan {host}{_flags(role, docker_group)}"
        case contract.Migrate(host, role, docker_group):
            return f"migrate {host}{_flags(role, docker_group)}"
        case contract.MigrateAll(without):
            return "migrate all" + (f" --without {','.join(without)}" if without else "")
        case contract.Accept(node):
            return f"accept {node}"
        case contract.Reject(node, remove):
            return f"reject {node}{' --remove' if remove else ''}"
        case contract.StartContainers(host, names):
            return f"start {' '.join((host, *names))}"
        case contract.RetireStore(host):
            return f"retire {host}"
        case _:
            return command.type


def _flags(role: Role | None, docker_group: bool) -> str:
    return (f" --{role}" if role else "") + (" --docker-group" if docker_group else "")
