"""`python -m lab`: a fleet of real Docker hosts and a fake Slack, on one machine."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from lab.fleet import fleet
from lab.fleet.client_files import KEYS_DIR
from lab.fleet.shell import LabError
from lab.signals import end_in_order

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
fleet_app = typer.Typer(no_args_is_help=True, help="The fleet of real hosts.")
app.add_typer(fleet_app, name="fleet")
simulated_app = typer.Typer(no_args_is_help=True, help="Simulated hosts, reached over real sockets.")
app.add_typer(simulated_app, name="simulated")
StoryOption = Annotated[Literal["migration", "day2"], typer.Option(help="Migrate hosts, or operate a swarm for a day.")]
HostNames = Annotated[list[str] | None, typer.Argument(help="Names of hosts.")]


@fleet_app.command()
def up(names: HostNames = None) -> None:
    """Boot hosts in their 2016 state (all eight without names) and write the client files to .lab/."""
    fleet.up(names or (), say=typer.echo)
    typer.echo(f"Client files are in {fleet.CLIENT_DIR}/: imker.toml, docker-machine/, known_hosts, ssh/")


@fleet_app.command()
def down() -> None:
    """Stop all hosts and remove everything the lab created."""
    fleet.down(say=typer.echo)


@fleet_app.command()
def status() -> None:
    """List the hosts and their states."""
    for host in (statuses := fleet.status()):
        typer.echo(f"{host.name:<12} {host.address:<15} {host.state}")
    if not statuses:
        typer.echo("No hosts are up.")


@fleet_app.command()
def reset(names: Annotated[list[str], typer.Argument()]) -> None:
    """Reset hosts to their 2016 state, whatever their current state."""
    fleet.reset(names, say=typer.echo)


@fleet_app.command()
def reboot(names: Annotated[list[str], typer.Argument()]) -> None:
    """Power hosts off and on again, with the same disk."""
    fleet.reboot(names, say=typer.echo)


@fleet_app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def ssh(name: str, command: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Open a shell, or run a command, on a host as geschke."""
    (host,) = fleet.require_booted([name])
    options = [
        f"-oUserKnownHostsFile={fleet.CLIENT_DIR}/known_hosts",
        "-oStrictHostKeyChecking=yes",
        "-oLogLevel=ERROR",
    ]
    key = ["-i", str(KEYS_DIR / "ssh/id_ed25519")]
    sys.exit(subprocess.call(["ssh", *options, *key, f"geschke@{host.address}", *(command or ())]))


@simulated_app.callback()
def _() -> None:
    """Keep `up` a subcommand: without a callback, typer would make the only command the whole app."""


@simulated_app.command("up")
def up_simulated(
    names: Annotated[list[str] | None, typer.Argument(help="Number of hosts, or their names.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder for the client files.")] = fleet.CLIENT_DIR / "simulated",
) -> None:
    """Run simulated hosts on loopback, without root, until Ctrl-C or SIGTERM."""
    from lab.simulated.fleet import run_until_signal

    number = int(names[0]) if names and len(names) == 1 and names[0].isdigit() else 0
    run_until_signal(() if number else tuple(names or ()), number, folder, say=typer.echo)


@app.command()
def slack(port: int = 8899, config: Path | None = None, address: str = "127.0.0.1") -> None:
    """Run the fake Slack, on loopback by default."""
    from lab.slack.server import serve
    from lab.slack.state import InvalidWorkspace

    try:
        serve(port, config, say=typer.echo, address=address)
    except InvalidWorkspace as error:
        raise LabError(str(error)) from error
    except OSError as os_error:
        raise LabError(f"port {port}: {os.strerror(os_error.errno or 0)}; choose another with --port N") from os_error


@app.command()
def demo(names: HostNames = None, stay: bool = False, port: int = 8899, story: StoryOption = "migration") -> None:
    """Play a whole story on real hosts (without root: simulated ones).

    `all` uses eight hosts; the default is three, for `day2` five.
    """
    from lab.demo import DEFAULT_HOSTS
    from lab.demo import demo as play

    host_names = () if names == ["all"] else tuple(names or DEFAULT_HOSTS[story])
    sys.exit(play(host_names, stay, port, story))


@app.command()
def screenshots(folder: Path = Path("docs/screenshots")) -> None:
    """Take pictures of ten states of the channel with simulated hosts, 1200 and 390 pixels wide."""
    from lab.screenshots import take_screenshots

    take_screenshots(folder, say=typer.echo)


@app.command()
def chaos(number: int = 500, seed: int = 0, hosts: int = 8, log: Path = Path(".lab/chaos.log")) -> None:
    """Inject random faults into real processes and simulated hosts, then check the invariants.

    Default: a random seed.
    """
    from lab.chaos.runner import run_chaos as play

    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    sys.exit(play(number, seed or secrets.randbelow(10**6) + 1, hosts, log))


def main() -> None:
    end_in_order()
    try:
        app()
    except LabError as error:
        typer.echo(f"lab: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
