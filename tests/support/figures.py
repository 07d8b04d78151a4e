"""Record figures that tests measure. `make figures` prints them; docs/reliability.md shows them."""

import os
from pathlib import Path


def record_figure(title: str, value: str) -> None:
    """Append a line to the file that FIGURES names, if it is set."""
    file = os.environ.get("FIGURES")
    if file:
        with Path(file).open("a") as figures_file:
            figures_file.write(f"{title:<62} {value}\n")
