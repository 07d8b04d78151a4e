"""Read docker-machine's `config.json` of a host, and clean it of classic Swarm options.

Without that, docker-machine's tools would add the options again. Pure.
"""

import json
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from jobs.daemon_options import FileEdit

ENGINE_PORT = 2376  # docker-machine's default
REMOVED_FLAGS = ("cluster-store", "cluster-advertise", "live-restore")  # prefixes in EngineOptions.ArbitraryFlags
# The escapes of Go's encoding/json.
GO_JSON_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
CLEARED_SWARM_OPTIONS: dict[str, Any] = {"IsSwarm": False, "Discovery": "", "Agent": False, "Master": False}


class Driver(BaseModel):
    """How to reach the host. Each driver has fields of its own; these are the ones that say so.

    `docker_port`: azure's name for the port of the Engine. `url`: all that the driver "none" knows.
    """

    ip_address: str | None = Field(None, alias="IPAddress")
    private_address: str | None = Field(None, alias="PrivateIPAddress")
    uses_private_address: bool | None = Field(None, alias="UsePrivateIP")
    has_private_address_only: bool | None = Field(None, alias="PrivateIPOnly")
    url: str | None = Field(None, alias="URL")
    ssh_user: str | None = Field(None, alias="SSHUser")
    ssh_port: int | None = Field(None, alias="SSHPort")
    ssh_key: str | None = Field(None, alias="SSHKeyPath")
    original_ssh_key: str | None = Field(None, alias="SSHKey")
    engine_port: int | None = Field(None, alias="EnginePort")
    docker_port: int | None = Field(None, alias="DockerPort")
    store: str | None = Field(None, alias="StorePath")
    swarm_discovery: str | None = Field(None, alias="SwarmDiscovery")
    swarm_master: bool | None = Field(None, alias="SwarmMaster")


class Swarm(BaseModel):
    """The host's place in the classic Swarm."""

    discovery: str | None = Field(None, alias="Discovery")
    master: bool | None = Field(None, alias="Master")


class Auth(BaseModel):
    """Where docker-machine had the client's certificate and key."""

    folder: str | None = Field(None, alias="CertDir")


class EngineOptions(BaseModel):
    """Options of the daemon."""

    flags: list[str] | None = Field(None, alias="ArbitraryFlags")


class HostOptions(BaseModel):
    """Options of the Engine and the classic Swarm."""

    engine: EngineOptions | None = Field(None, alias="EngineOptions")
    swarm: Swarm | None = Field(None, alias="SwarmOptions")
    auth: Auth | None = Field(None, alias="AuthOptions")


class Machine(BaseModel):
    """The fields of `config.json` that Imker reads. Any of them may be missing or null."""

    driver_name: str | None = Field(None, alias="DriverName")
    driver: Driver | None = Field(None, alias="Driver")
    options: HostOptions | None = Field(None, alias="HostOptions")


def read_address(driver: Driver) -> str:
    """Return the address at which docker-machine reaches the host, "" if the file has none."""
    is_private = driver.uses_private_address or driver.has_private_address_only
    addresses = (driver.private_address, driver.ip_address) if is_private else (driver.ip_address,)
    return next(filter(None, (*addresses, _split_url(driver)[0], driver.private_address)), "")


def read_ssh_port(machine: Machine, driver: Driver) -> int:
    """Return the SSH port at the host's address. VirtualBox's is one of the machine on which docker-machine ran."""
    return 22 if machine.driver_name == "virtualbox" else driver.ssh_port or 22


def read_engine_port(driver: Driver) -> int:
    """Return the TCP port of the Engine."""
    return driver.engine_port or driver.docker_port or _split_url(driver)[1] or ENGINE_PORT


def read_discovery(machine: Machine) -> tuple[str, bool]:
    """Return the discovery URL of the classic Swarm, and whether the host is its master. Old files name it once."""
    driver, swarm = machine.driver or Driver(), (machine.options or HostOptions()).swarm or Swarm()
    return swarm.discovery or driver.swarm_discovery or "", bool(swarm.master or driver.swarm_master)


def relocate(path: str, original_store: str) -> PurePosixPath | None:
    """Return the path's place relative to the store, which may have been moved here from another machine.

    None if the path is not below the original store, nor below folders that have a store's names.
    """
    parts, store = _split_path(path), _split_path(original_store)
    if store and parts[: len(store)] == store:
        inside = parts[len(store) :]
    else:
        begins = [number for number, part in enumerate(parts) if part in ("machines", "certs")]
        inside = parts[begins[-1] :] if begins else ()
    return PurePosixPath(*inside) if inside and ".." not in inside else None


def cleanup_edit(path: str, text: str) -> FileEdit | None:
    """Return the edit that cleans the file, or None if there is nothing to clean or it is not a JSON object."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or not _remove_classic_swarm(document):
        return None
    return FileEdit(path, text, _to_json(document))


def parse_store_urls(text: str) -> tuple[str, ...]:
    """Return the URLs of the key-value stores in the file, none if it is not a file of docker-machine."""
    try:
        machine = Machine.model_validate_json(text)
    except ValidationError:
        return ()
    options = machine.options or HostOptions()
    flags = (re.fullmatch(r"-*cluster-store[= ](.+)", flag) for flag in (options.engine or EngineOptions()).flags or ())
    urls = (read_discovery(machine)[0], *(flag[1] for flag in flags if flag))
    return tuple(dict.fromkeys(filter(None, urls)))


def _split_path(path: str) -> tuple[str, ...]:
    """Return the parts of a POSIX path, or of a Windows path."""
    return (PureWindowsPath(path) if "\\" in path else PurePosixPath(path)).parts


def _split_url(driver: Driver) -> tuple[str, int | None]:
    """Return the host and the port in the driver's URL."""
    try:
        url = urlsplit(driver.url or "")
        return url.hostname or "", url.port
    except ValueError:
        return "", None


def _to_json(document: dict[str, Any]) -> str:
    """Encode as docker-machine does, so that everything else stays the same byte for byte."""
    text = json.dumps(document, indent=4, ensure_ascii=False)
    for character, escaped in GO_JSON_ESCAPES.items():
        text = text.replace(character, escaped)
    return text


def _remove_classic_swarm(document: dict[str, Any]) -> bool:
    """Remove the classic Swarm's options in place. Return whether anything changed."""
    before = json.dumps(document)
    options, driver = document.get("HostOptions") or {}, document.get("Driver") or {}
    swarm, engine = options.get("SwarmOptions") or {}, options.get("EngineOptions") or {}
    swarm.update({key: value for key, value in CLEARED_SWARM_OPTIONS.items() if key in swarm})
    driver.update({key: value for key, value in (("SwarmMaster", False), ("SwarmDiscovery", "")) if key in driver})
    if engine.get("ArbitraryFlags"):
        engine["ArbitraryFlags"] = [
            flag for flag in engine["ArbitraryFlags"] if not flag.lstrip("-").startswith(REMOVED_FLAGS)
        ]
    return json.dumps(document) != before
