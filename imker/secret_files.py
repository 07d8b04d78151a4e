"""Read a secret from its variable, the file in NAME_FILE, a systemd credential, or a Docker secret.

A file is read where it is needed, and its text stays out of the environment, which child processes inherit.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imker.config import ConfigError

SHARED_SECRETS = ("REDIS_URL", "IMKER_SIGNING_KEY", "IMKER_AUDIT_KEY")  # used by bot and jobs
SECRETS = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", *SHARED_SECRETS)
DOCKER_SECRETS = Path("/run/secrets")
MAX_BYTES = 64 * 1024  # of a file


@dataclass(frozen=True)
class Secret:
    """A secret and where it comes from: its variable or a file. Both are "" if it is not set."""

    value: str = ""
    source: str = ""


def read_secret(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the secret, "" if it is not set. Raises ConfigError."""
    return find_secret(name, environment).value


def find_secret(name: str, environment: Mapping[str, str] = os.environ) -> Secret:
    """Return the secret and its source. Raises ConfigError if there are two sources, or a file cannot be used."""
    value, files = environment.get(name, ""), list(_files(name, environment))
    sources = [*([name] if value.strip() else []), *(source for source, _, _ in files)]
    if len(sources) > 1:
        raise ConfigError([f"{name}: set twice, by {' and by '.join(sources)}; remove one of them"])
    if not files:
        return Secret(value, name) if sources else Secret()
    ((source, path, is_private),) = files
    try:
        return Secret(_read(path, is_private), source)
    except ValueError as problem:
        raise ConfigError([f"{name}: {path} {problem}"]) from problem


def read_secrets(
    names: Iterable[str], environment: Mapping[str, str] = os.environ
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the stripped secrets, "" for one that is not set or cannot be read, and a line for each of the latter."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for name in names:
        try:
            values[name] = read_secret(name, environment).strip()
        except ConfigError as error:
            values[name] = ""
            problems += error.lines
    return values, tuple(problems)


def check_private(path: Path) -> None:
    """Raise ValueError if every user of this machine can read or write the file."""
    if path.stat().st_mode & 0o006:
        raise ValueError(f"can be read by every user of this machine; run chmod o= {path}")


def _files(name: str, environment: Mapping[str, str]) -> Iterator[tuple[str, Path, bool]]:
    """Yield each file of this secret: its source, its path, and whether its folder keeps other users out.

    A file in NAME_FILE has to exist. systemd and Docker put the others into a folder that belongs to the process.
    """
    folders = [Path(folder) for folder in (environment.get("CREDENTIALS_DIRECTORY"), DOCKER_SECRETS) if folder]
    if chosen := environment.get(f"{name}_FILE", "").strip():
        path = Path(chosen).expanduser()
        yield f"{name}_FILE", path, path.parent in folders
        folders = [folder for folder in folders if folder / name != path]
    yield from ((str(folder / name), folder / name, True) for folder in folders if (folder / name).is_file())


def _read(path: Path, is_private: bool) -> str:
    """Return the text of the file without surrounding space. Raises ValueError."""
    try:
        if not is_private:
            check_private(path)
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError("is not a text in UTF-8") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if not text or len(text) > MAX_BYTES:
        raise ValueError("is empty" if not text else "is too long for a secret")
    return text
