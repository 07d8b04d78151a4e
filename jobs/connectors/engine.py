"""Call the API of an Engine, with the Docker SDK.

In: a Host. Out: plain values, or an error of jobs.errors. Create a new Engine after each restart of the daemon.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from docker.api.client import APIClient
from docker.errors import APIError
from docker.utils import version_lt

from imker.protocol.commands import ListNodes
from imker.protocol.next_command import NextCommand
from imker.text import one_line
from jobs.connectors import specs
from jobs.connectors.engine_client import open_client
from jobs.connectors.engine_errors import translate_errors
from jobs.connectors.engine_transport import Dial
from jobs.connectors.json_text import without_surrogates
from jobs.connectors.service_calls import ServiceCalls
from jobs.connectors.swarm_label import with_token, without_broken_token
from jobs.errors import EngineRefused
from jobs.facts import packages, swarm
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken

JOIN_TIMEOUT = 30  # seconds; after 20 an Engine answers that its join continues in the background
OLDEST_API_VERSION = "1.24"  # of the first Engine with swarm mode; the oldest that the SDK supports
TOKEN = re.compile(r"SWMTKN-[0-9A-Za-z-]{1,200}")
MAX_NODES = 5000
LISTEN_ADDRESS = "0.0.0.0:2377"  # the default of swarm mode; the advertise address is always explicit


SpecChange = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Secret:
    """A join token on its way from one Engine to another. Its value is never printed."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


class Engine(ServiceCalls):
    """The API of one Engine. `timeout`: seconds for each call, in total. Connecting reads the API version.

    `dial`: how to connect to an Engine over SSH, None for one over TLS.
    """

    def __init__(self, host: Host, timeout: float = 10, *, dial: Dial | None = None) -> None:
        self.host = host
        with translate_errors(host):
            client: Any = open_client(host, timeout, OLDEST_API_VERSION, dial)
            answer = without_surrogates(client.version(api_version=False))
            packages.parse_engine_version(answer["Version"])
            self.version = {"Version": one_line(answer["Version"], swarm.MAX_WORD_LENGTH)}
            api_version = _parse_api_version(answer["ApiVersion"])
            self._api_is_old = version_lt(api_version, OLDEST_API_VERSION)
            if not self._api_is_old:
                client._version = api_version  # a second client would read certificates and keys again
            self._api: APIClient = client

    def info(self) -> dict[str, Any]:
        """Return the answer of /info. An Engine before swarm mode is queried without an API version."""
        with translate_errors(self.host):
            api: Any = self._api
            unversioned_info = self._api_is_old and api._result(
                api._get(api._url("/info", versioned_api=False)), json=True
            )
            answer: dict[str, Any] = without_surrogates(unversioned_info or api.info())
            swarm.parse_membership(answer)
            return answer

    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes of the swarm. Raise EngineRefused if this Engine is not a manager."""
        with translate_errors(self.host):
            answer: list[dict[str, Any]] = without_surrogates(self._api.nodes())
            if len(answer) > MAX_NODES:
                raise EngineRefused(
                    f"{self.host.name} listed {len(answer)} nodes; Imker accepts {MAX_NODES} at most",
                    host=self.host.name,
                )
            for node in answer:
                swarm.parse_node(node)
            return answer

    def worker_token(self) -> Secret:
        """Return the token with which workers join this manager's swarm."""
        with translate_errors(self.host):
            token = self._api.inspect_swarm()["JoinTokens"]["Worker"]
            if not isinstance(token, str) or not TOKEN.fullmatch(token):
                raise EngineRefused(f"{self.host.name} returned no valid join token", host=self.host.name)
            return Secret(token)

    def autolock(self) -> bool:
        """Return whether a restarted manager waits for the swarm's unlock key."""
        with translate_errors(self.host):
            encryption = self._api.inspect_swarm()["Spec"].get("EncryptionConfig") or {}
            return bool(encryption.get("AutoLockManagers"))

    def init(self, pool: str) -> None:
        """Initialize a swarm. `pool`: CIDR for its overlay networks, which cannot be changed later."""
        with translate_errors(self.host):
            self._api.init_swarm(
                advertise_addr=self.host.advertise_address,
                listen_addr=LISTEN_ADDRESS,
                default_addr_pool=[pool],
                subnet_size=24,
            )

    def join(self, manager: str, token: Secret, availability: str) -> None:
        """Join as a worker. `manager`: its address. The SDK's own join has no availability, but the API has."""
        body = {
            "RemoteAddrs": [f"{manager}:2377"],
            "ListenAddr": LISTEN_ADDRESS,
            "AdvertiseAddr": self.host.advertise_address,
            "JoinToken": token.value,
            "Availability": availability,
        }
        with translate_errors(self.host):
            api: Any = self._api
            api._raise_for_status(api._post_json(api._url("/swarm/join"), data=body, timeout=JOIN_TIMEOUT))

    def leave(self) -> None:
        with translate_errors(self.host):
            self._api.leave_swarm()

    def remove_node(self, node: str) -> None:
        with translate_errors(self.host):
            self._api.remove_node(_node_id(node), force=True)

    def tasks(self, node: str) -> list[dict[str, Any]]:
        """Return the service tasks of a node, including finished ones."""
        with translate_errors(self.host):
            api: Any = self._api
            return list(api.tasks(filters={"node": _node_id(node)}))

    def change_node(self, node: str, change: SpecChange) -> None:
        """Apply `change` to the Spec of a node."""
        with translate_errors(self.host):
            node_id = _node_id(node)
            write = partial(self._api.update_node, node_id)
            _update_spec(lambda: self._api.inspect_node(node_id), specs.node_spec, change, write)

    def claim_token(self, token: FencingToken) -> None:
        """Save the token in the swarm's labels, for all managers. Raise Superseded if another run has a later token."""
        with translate_errors(self.host):
            _update_spec(self._api.inspect_swarm, specs.swarm_spec, partial(with_token, token), self._api.update_swarm)

    def repair_claim(self) -> tuple[str, ...]:
        """Remove an invalid fencing token from the swarm, and return its text, if there was one."""
        removed: list[str] = []
        with translate_errors(self.host):
            _update_spec(
                self._api.inspect_swarm,
                specs.swarm_spec,
                partial(without_broken_token, removed),
                self._api.update_swarm,
            )
        return tuple(removed[-1:])


def _update_spec(
    read: Callable[[], Any], built: Callable[[Any], specs.Spec], change: SpecChange, write: Callable[[int, Any], Any]
) -> None:
    """Read a Spec, change it, and write it with its version index. Retry after a concurrent change.

    An unchanged Spec is not written. `built` makes the written Spec from known keys only.
    """
    for attempt in range(5):
        current = read()
        spec = built(current["Spec"])
        new_spec = change(spec)
        if new_spec == spec:
            return
        try:
            write(specs.version_index(current), new_spec)
            return
        except APIError as error:
            if "out of sequence" not in str(error) or attempt == 4:
                raise


def _node_id(reported: str) -> str:
    """Return the ID if it is valid. A host reports its own node ID, which becomes part of a manager's URL."""
    if not swarm.NODE_ID.fullmatch(reported):
        text = f"invalid node ID: {one_line(reported, 40) or 'none'}"
        raise EngineRefused(text, next_commands=(NextCommand(ListNodes()),))
    return reported


def _parse_api_version(version: str) -> str:
    """Return the version if it is valid as a part of a URL. Raise ValueError if not."""
    if not re.fullmatch(r"1\.[0-9]{1,3}", version):
        raise ValueError("invalid API version")
    return version


class EngineFactory(Protocol):
    """Connect to a host's Engine, as `Engine` does. `timeout`: seconds for each call."""

    def __call__(self, host: Host, timeout: float = 10) -> Engine: ...
