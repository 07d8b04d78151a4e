"""Add the variables in the file .env beside imker.toml to the environment. Variables that are set already stay."""

import os
from pathlib import Path

from imker.config import ConfigError
from imker.secret_files import SECRETS, check_private


def path() -> Path:
    """Return the path of the file."""
    return Path(os.environ.get("IMKER_CONFIG") or "imker.toml").parent / ".env"


def load() -> frozenset[str]:
    """Add the variables to the environment and return their names. Raises ConfigError if the file cannot be used."""
    file = path()
    if not file.exists():
        return frozenset()
    from dotenv import dotenv_values

    try:
        check_private(file)
        values = dotenv_values(file, interpolate=False)
    except ValueError as problem:  # also a text that is not UTF-8
        raise ConfigError([f"{file} {problem}"]) from problem
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from error
    added = {name: value for name, value in values.items() if value and name not in _set_names()}
    os.environ.update(added)
    return frozenset(added)


def _set_names() -> set[str]:
    """Return the names of variables that are set, also by a file: NAME_FILE counts as NAME."""
    names = {name for name, value in os.environ.items() if value}
    return names | {secret for secret in SECRETS if f"{secret}_FILE" in names}
