"""`python -m bench`: measure Imker and write docs/performance.md."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench import real_hosts, simulated_hosts
from bench.report import SCALE, Figures, render

DOCUMENT = Path("docs/performance.md")


def main(
    rounds: Annotated[int, typer.Option(help="Counted rounds.", min=1)] = 5,
    real: Annotated[bool, typer.Option(help="Measure on real hosts, as root.")] = True,
    simulated: Annotated[bool, typer.Option(help="Measure with simulated hosts.")] = True,
    minutes: Annotated[float, typer.Option(help="After these, no further round on real hosts starts.")] = 15,
    peers: Annotated[bool, typer.Option(help="Measure pyinfra and Ansible too, from PyPI.")] = False,
    largest: Annotated[int, typer.Option(help="The largest simulated fleet.")] = max(SCALE),
) -> None:
    """Measure and write docs/performance.md."""
    figures = real_hosts.measure(rounds, typer.echo, minutes * 60, peers) if real else Figures()
    if simulated:
        sizes = tuple(size for size in SCALE if size <= largest)
        figures.values |= simulated_hosts.measure(rounds, typer.echo, sizes).values
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    method = (
        f"Medians of {figures.rounds or rounds} rounds after a warm-up; Imker and the script (`bench/migrate.sh`) take "
        "turns in one run, on real hosts of the lab, and leave the same end state, which is checked. The script checks "
        "nothing. Imker inspects, backs up, verifies, and asks."
    )
    text = render(figures, machine, method)
    DOCUMENT.write_text(text)
    typer.echo(text)


if __name__ == "__main__":
    typer.run(main)
