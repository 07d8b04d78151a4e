"""Read docker-machine's store: a folder that may come from another machine, written by any driver.

In: the store's folder. Out: a host for each machine, and a line for each file that cannot be read.
"""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from imker import config
from jobs.inventory import docker_machine
from jobs.inventory.docker_machine import Auth, Driver, HostOptions, Machine
from jobs.inventory.model import Host

TLS_FILES = ("ca.pem", "cert.pem", "key.pem")
SSH_KEY = "id_rsa"  # docker-machine's own name, whatever the key's type


def read_store(store: Path | None) -> tuple[dict[str, Host], list[str]]:
    """Return the hosts by name, in lower case as people type them, and a line for each problem."""
    if store is None:
        return {}, []
    if not (store / "machines").is_dir():
        return {}, [f"[inventory] docker_machine: {store / 'machines'} does not exist"]
    hosts: dict[str, Host] = {}
    problems = []
    for path in sorted((store / "machines").glob("*/config.json")):
        try:
            host = _read_machine(store, path)
        except (OSError, ValidationError) as error:
            problems.append(f"{path}: {_describe_error(error)}; fix it, or move its folder out of the store")
            continue
        if host.name in hosts:
            problems.append(f"{path}: another machine is {host.name}, too; move one of the folders out of the store")
        hosts[host.name] = host
    return hosts, problems


def is_file(path: Path) -> bool:
    """Return whether the file exists. A file in a folder that cannot be entered does not exist for Imker."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read_machine(store: Path, path: Path) -> Host:
    """Read a host from its `config.json`."""
    text = path.read_bytes()
    machine = Machine.model_validate_json(text)
    driver = machine.driver or Driver()
    discovery, is_master = docker_machine.read_discovery(machine)
    return Host(
        name=path.parent.name.lower(),
        address=docker_machine.read_address(driver),
        ssh_user=driver.ssh_user or "root",
        ssh_port=docker_machine.read_ssh_port(machine, driver),
        ssh_key=_find_ssh_key(driver, store, path.parent),
        tls=_find_tls(machine, driver, store, path.parent),
        engine_port=docker_machine.read_engine_port(driver),
        driver=machine.driver_name or "-",
        discovery=discovery,
        classic_master=is_master,
        store_urls=docker_machine.parse_store_urls(text.decode()),
        former_store_urls=tuple(
            url
            for copy in sorted(_find_backups(path))
            for url in docker_machine.parse_store_urls(copy.read_text(errors="replace"))
        ),
        machine_config=path,
    )


def _find_ssh_key(driver: Driver, store: Path, folder: Path) -> Path:
    """Return the first key that exists, else the path where docker-machine would look for it."""
    named = [path for path in (driver.ssh_key, driver.original_ssh_key) if path]
    places = [place for path in named for place in _find_places(path, driver, store)]
    existing = (place for place in (*places, folder / SSH_KEY) if is_file(place))
    return next(existing, Path(named[0]) if named else folder / SSH_KEY)


def _find_tls(machine: Machine, driver: Driver, store: Path, folder: Path) -> Path:
    """Return the first folder with all three files: the machine's, the one that the file names, or `certs`."""
    auth = (machine.options or HostOptions()).auth or Auth()
    named = _find_places(auth.folder, driver, store) if auth.folder else ()
    complete = (place for place in (folder, *named, store / "certs") if _has_tls(place))
    return next(complete, folder)


def _find_places(path: str, driver: Driver, store: Path) -> tuple[Path, ...]:
    """Return where a file that docker-machine names may be: in this store, or at that path on this machine."""
    inside = docker_machine.relocate(path, driver.store or "")
    return (*((store / inside,) if inside else ()), Path(path))


def _has_tls(folder: Path) -> bool:
    return all(is_file(folder / name) for name in TLS_FILES)


def _find_backups(config_path: Path) -> Iterable[Path]:
    return config_path.parent.glob(f"{config_path.name}.imker-*")


def _describe_error(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    return f"{path}: {config.describe_error(first)}" if path else "is not a JSON object written by docker-machine"
