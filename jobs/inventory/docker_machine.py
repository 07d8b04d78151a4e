"""Read docker-machine's `config.json` of a host, and clean it of classic Swarm options.

Without that, docker-machine's tools would add the options again. Pure.
"""

import json
import re
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from jobs.daemon_options import FileEdit

REMOVED_FLAGS = ("cluster-store", "cluster-advertise", "live-restore")  # prefixes in EngineOptions.ArbitraryFlags
# The escapes of Go's encoding/json.
GO_JSON_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
CLEARED_SWARM_OPTIONS: dict[str, Any] = {"IsSwarm": False, "Discovery": "", "Agent": False, "Master": False}


class Driver(BaseModel):
    """How to reach the host."""

    address: str | None = Field(None, alias="IPAddress")
    ssh_user: str | None = Field(None, alias="SSHUser")
    ssh_port: int | None = Field(None, alias="SSHPort")
    ssh_key: str | None = Field(None, alias="SSHKeyPath")


class Swarm(BaseModel):
    """The host's place in the classic Swarm."""

    discovery: str | None = Field(None, alias="Discovery")
    master: bool | None = Field(None, alias="Master")


class EngineOptions(BaseModel):
    """Options of the daemon."""

    flags: list[str] | None = Field(None, alias="ArbitraryFlags")


class HostOptions(BaseModel):
    """Options of the Engine and the classic Swarm."""

    engine: EngineOptions | None = Field(None, alias="EngineOptions")
    swarm: Swarm | None = Field(None, alias="SwarmOptions")


class Machine(BaseModel):
    """The fields of `config.json` that Imker reads. Any of them may be missing or null."""

    driver_name: str | None = Field(None, alias="DriverName")
    driver: Driver | None = Field(None, alias="Driver")
    options: HostOptions | None = Field(None, alias="HostOptions")


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
        options = Machine.model_validate_json(text).options or HostOptions()
    except ValidationError:
        return ()
    flags = (re.fullmatch(r"-*cluster-store[= ](.+)", flag) for flag in (options.engine or EngineOptions()).flags or ())
    urls = ((options.swarm or Swarm()).discovery, *(flag[1] for flag in flags if flag))
    return tuple(dict.fromkeys(filter(None, urls)))


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
