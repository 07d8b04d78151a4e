"""Does a plan's steps on a host. Every step may be done again: it looks before it changes.

In: a Step and a Site. Out: a line on what was done, or a JobError. What is to be done is decided in jobs.plan.
"""

from jobs import steps
from jobs.execute import containers, membership, options, restart, upgrade
from jobs.execute.site import Site


def execute(step: steps.Step, site: Site) -> str:
    match step:
        case steps.RetireContainers(names):
            return containers.retire(site, names)
        case steps.StopStore(name):
            return containers.stop_store(site, name)
        case steps.RemoveStore(name):
            return containers.remove_store(site, name)
        case steps.AddToGroup(user):
            site.shell.run("usermod", "-aG", "docker", "--", user, sudo=True)
            return f"{user} may use docker from the next login on"
        case steps.CleanMachine(edit):
            return options.clean_machine(site, edit)
        case steps.SwitchSource(edit):
            return options.apply(site, (edit,))
        case steps.RewriteOptions(edits):
            return options.apply(site, edits)
        case steps.UpgradeEngine():
            return upgrade.upgrade(site, step)
        case steps.PutOptionsBack(path, wanted):
            return options.put_back(site, path, wanted)
        case steps.RestartEngine():
            return restart.restart(site, step)
        case steps.StartContainers(names, over):
            return containers.start(site, names, over)
        case _:
            return membership.execute(step, site)
