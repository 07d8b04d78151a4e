"""`python -m bench`: measure Imker and write docs/performance.md."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench import real_hosts, simulated_hosts
from bench.report import SCALE, Figures, render
from lab.fleet.shell import LabError
from lab.signals import end_in_order

DOCUMENT = Path("docs/performance.md")


def main(
    rounds: Annotated[int, typer.Option(help="Counted rounds.", min=1)] = 5,
    real: Annotated[bool, typer.Option(help="Measure on real hosts, as root.")] = True,
    simulated: Annotated[bool, typer.Option(help="Measure with simulated hosts.")] = True,
    minutes: Annotated[float, typer.Option(help="After these, no further round on real hosts starts.")] = 20,
    peers: Annotated[bool, typer.Option(help="Measure pyinfra and Ansible too, from PyPI.")] = False,
    largest: Annotated[int, typer.Option(help="The largest simulated fleet.")] = max(SCALE),
) -> None:
    """Measure and write docs/performance.md. A part that fails is named in it, and the exit status is 1."""
    end_in_order()
    try:
        figures = real_hosts.measure(rounds, typer.echo, minutes * 60, peers) if real else Figures()
    except LabError as error:
        typer.echo(f"The real hosts cannot be measured: {error}", err=True)
        raise typer.Exit(1) from error
    if simulated:
        _write(figures, rounds)  # if the rest takes too long, this remains
        _add_simulated(figures, rounds, largest)
    typer.echo(_write(figures, rounds))
    raise typer.Exit(1 if figures.failures else 0)


def _add_simulated(figures: Figures, rounds: int, largest: int) -> None:
    sizes = tuple(size for size in SCALE if size <= largest)
    try:
        simulated = simulated_hosts.measure(rounds, typer.echo, sizes)
        figures.values |= simulated.values
        figures.failures |= simulated.failures
    except Exception as error:
        figures.note_failure("simulated hosts", f"{type(error).__name__}: {error}")


def _write(figures: Figures, rounds: int) -> str:
    """Write the document and return its text."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    method = (
        f"Medians of {figures.rounds or rounds} rounds after a warm-up; Imker and the script (`bench/migrate.sh`) take "
        "turns in one run, on real hosts of the lab, and leave the same end state, which is checked. The script checks "
        "nothing. Imker inspects, backs up, verifies, and asks."
    )
    text = render(figures, machine, method)
    DOCUMENT.write_text(text)
    return text


if __name__ == "__main__":
    typer.run(main)
