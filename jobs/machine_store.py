"""docker-machine's own file of a host: what Imker reads of it, and the file cleaned of the classic Swarm. Pure.

Cleaned, else docker-machine's tools bring the options back.
"""

import json
from typing import Any

from pydantic import BaseModel, Field

from jobs.daemon_options import FileEdit

CLUSTER = ("cluster-store", "cluster-advertise")
NOT_IN_SWARM: dict[str, Any] = {"IsSwarm": False, "Discovery": "", "Agent": False, "Master": False}


class Driver(BaseModel):
    address: str | None = Field(None, alias="IPAddress")
    ssh_user: str | None = Field(None, alias="SSHUser")
    ssh_port: int | None = Field(None, alias="SSHPort")
    ssh_key: str | None = Field(None, alias="SSHKeyPath")


class Swarm(BaseModel):
    discovery: str | None = Field(None, alias="Discovery")
    master: bool | None = Field(None, alias="Master")


class HostOptions(BaseModel):
    swarm: Swarm | None = Field(None, alias="SwarmOptions")


class Machine(BaseModel):
    """`config.json`, as far as it is read; any of it may be missing, or null."""

    driver_name: str | None = Field(None, alias="DriverName")
    driver: Driver | None = Field(None, alias="Driver")
    options: HostOptions | None = Field(None, alias="HostOptions")


def residue(path: str, text: str) -> FileEdit | None:
    """What the file should say instead; None when nothing of the classic Swarm is in it, or it is no JSON object."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or not _clean(document):
        return None
    return FileEdit(path, text, json.dumps(document, indent=4))


def _clean(document: dict[str, Any]) -> bool:
    """Whether anything changed."""
    before = json.dumps(document)
    options, driver = document.get("HostOptions") or {}, document.get("Driver") or {}
    swarm, engine = options.get("SwarmOptions") or {}, options.get("EngineOptions") or {}
    swarm.update({key: value for key, value in NOT_IN_SWARM.items() if key in swarm})
    driver.update({key: value for key, value in (("SwarmMaster", False), ("SwarmDiscovery", "")) if key in driver})
    if engine.get("ArbitraryFlags"):
        engine["ArbitraryFlags"] = [
            flag for flag in engine["ArbitraryFlags"] if not flag.lstrip("-").startswith(CLUSTER)
        ]
    return json.dumps(document) != before
