"""Execute the steps of a plan on a host. Every step is idempotent: it checks the state before it changes anything.

In: a Step and a StepTarget. Out: the result in one line, or a JobError. Which steps to run is decided in jobs.plan.
"""

from jobs import steps
from jobs.connectors.shell import sudo
from jobs.execute import containers, files, membership, node_changes, restart, services, upgrade
from jobs.execute.target import StepTarget
from jobs.steps.services import SERVICE_STEPS


def execute_step(step: steps.Step, target: StepTarget) -> str:
    """Execute one step and return its result in one line. Raise JobError if it fails."""
    match step:
        case steps.RemoveClassicContainers(names):
            return containers.remove_classic_containers(target, names)
        case steps.StopStore(name):
            return containers.stop_store(target, name)
        case steps.RemoveStore(name):
            return containers.remove_store(target, name)
        case steps.AddToGroup(user):
            target.shell.run(sudo("usermod", "-aG", "docker", "--", user))
            return f"{user} can use docker from the next login"
        case steps.CleanDockerMachineConfig(edit):
            return files.clean_machine_config(target, edit)
        case steps.SwitchAptSource(edit):
            return files.apply_edits(target, (edit,))
        case steps.RewriteOptions(edits):
            return files.apply_edits(target, edits)
        case steps.UpgradeEngine():
            return upgrade.upgrade_engine(target, step)
        case steps.RestoreOptions(path, options_text):
            return files.restore_options(target, path, options_text)
        case steps.RestartEngine():
            return restart.restart_engine(target, step)
        case steps.EnsureContainersRunning(names, ends_migration):
            return containers.ensure_running(target, names, ends_migration)
        case steps.SetAvailability():
            return node_changes.set_availability(target, step)
        case steps.WaitForTasks(node):
            return node_changes.wait_for_tasks(target, node)
        case steps.DemoteNode(node):
            return node_changes.demote_node(target, node)
        case steps.LeaveOnHost(node):
            return node_changes.leave_on_host(target, node)
        case _ if isinstance(step, SERVICE_STEPS):
            return services.execute_service_step(step, target)
        case _:
            return membership.execute_membership_step(step, target)
