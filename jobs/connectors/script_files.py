"""Load the scripts that run on hosts, from the files in `scripts/`."""

from functools import cache
from importlib import resources


@cache
def load_script(*names: str) -> str:
    """Return the text of a script: files of functions first, then the script that calls them."""
    folder = resources.files("jobs.connectors").joinpath("scripts")
    return "\n".join(folder.joinpath(f"{name}.sh").read_text() for name in names)
