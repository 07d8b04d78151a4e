"""An Engine over its TLS port: the only place that knows the Docker SDK.

In: a Host. Out: plain values, or an error of jobs.errors. After an Engine's restart, make a new one.
"""

import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import requests
from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from docker.utils import version_lt

from imker.text import one_line
from jobs.connectors import specs
from jobs.connectors.engine_transport import EngineAdapter, NotAnEngine
from jobs.connectors.swarm_label import with_token, without_broken_token
from jobs.errors import EngineRefused, Unreachable
from jobs.facts import packages, swarm
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken

JOIN_TIMEOUT = 30  # seconds: an Engine itself answers after 20 that its join goes on in the background
OLDEST_API_VERSION = "1.24"  # the API version of the first Engine with swarm mode, and the SDK's oldest
NOT_AN_ENGINE = "answers what no Engine does"
TOKEN = re.compile(r"SWMTKN-[0-9A-Za-z-]{1,200}")
NODES = 5000
LISTEN_ADDRESS = "0.0.0.0:2377"  # swarm mode's own default; the advertise address is always explicit


SpecChange = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Secret:
    """A join token on its way from one Engine to another; prints as nothing."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


class Engine:
    """One Engine's API. `timeout`: seconds for each call, whole. Connecting asks for its API version."""

    def __init__(self, host: Host, timeout: float = 10) -> None:
        self.host = host
        with _translate_errors(host):
            first = _client(host, OLDEST_API_VERSION, timeout)
            said = _without_surrogates(first.version(api_version=False))
            packages.parse_engine_version(said["Version"])
            self.version = {"Version": one_line(said["Version"], swarm.MAX_WORD_LENGTH)}
            speaks = _parse_api_version(said["ApiVersion"])
            self._api_is_old = version_lt(speaks, OLDEST_API_VERSION)
            self._api = first if self._api_is_old else _client(host, speaks, timeout)

    def info(self) -> dict[str, Any]:
        """Of an Engine before swarm mode, too: asked without a version, as it knows none that the SDK speaks."""
        with _translate_errors(self.host):
            api: Any = self._api
            unversioned_info = self._api_is_old and api._result(
                api._get(api._url("/info", versioned_api=False)), json=True
            )
            answer: dict[str, Any] = _without_surrogates(unversioned_info or api.info())
            swarm.parse_membership(answer)
            return answer

    def nodes(self) -> list[dict[str, Any]]:
        with _translate_errors(self.host):
            answer: list[dict[str, Any]] = _without_surrogates(self._api.nodes())
            if len(answer) > NODES:
                raise EngineRefused(
                    f"{self.host.name} names {len(answer)} nodes, which no swarm has", host=self.host.name
                )
            for node in answer:
                swarm.parse_node(node)
            return answer

    def worker_token(self) -> Secret:
        with _translate_errors(self.host):
            token = self._api.inspect_swarm()["JoinTokens"]["Worker"]
            if not isinstance(token, str) or not TOKEN.fullmatch(token):
                raise EngineRefused(f"{self.host.name} shows no join token", host=self.host.name)
            return Secret(token)

    def autolock(self) -> bool:
        """Whether a manager that restarts waits for the swarm's unlock key."""
        with _translate_errors(self.host):
            encryption = self._api.inspect_swarm()["Spec"].get("EncryptionConfig") or {}
            return bool(encryption.get("AutoLockManagers"))

    def init(self, pool: str) -> None:
        """`pool`: the network that overlay networks are cut from; it cannot be changed later."""
        with _translate_errors(self.host):
            self._api.init_swarm(
                advertise_addr=self.host.advertise_address,
                listen_addr=LISTEN_ADDRESS,
                default_addr_pool=[pool],
                subnet_size=24,
            )

    def join(self, manager: str, token: Secret, availability: str) -> None:
        """`manager`: its address. The SDK's own join knows no availability, the Engine does."""
        body = {
            "RemoteAddrs": [f"{manager}:2377"],
            "ListenAddr": LISTEN_ADDRESS,
            "AdvertiseAddr": self.host.advertise_address,
            "JoinToken": token.value,
            "Availability": availability,
        }
        with _translate_errors(self.host):
            api: Any = self._api
            api._raise_for_status(api._post_json(api._url("/swarm/join"), data=body, timeout=JOIN_TIMEOUT))

    def leave(self) -> None:
        with _translate_errors(self.host):
            self._api.leave_swarm()

    def remove_node(self, node: str) -> None:
        with _translate_errors(self.host):
            self._api.remove_node(_node_id(node), force=True)

    def tasks(self, node: str) -> list[dict[str, Any]]:
        """Of services, on that node, those that have ended too."""
        with _translate_errors(self.host):
            api: Any = self._api
            return list(api.tasks(filters={"node": _node_id(node)}))

    def change_node(self, node: str, change: SpecChange) -> None:
        with _translate_errors(self.host):
            known = _node_id(node)
            write = partial(self._api.update_node, known)
            _update_spec(lambda: self._api.inspect_node(known), specs.node_spec, change, write)

    def claim_token(self, token: FencingToken) -> None:
        """For all managers: it is kept where the nodes are. Raises Superseded when another's number is as high."""
        with _translate_errors(self.host):
            _update_spec(self._api.inspect_swarm, specs.swarm_spec, partial(with_token, token), self._api.update_swarm)

    def repair_claim(self) -> tuple[str, ...]:
        """Take a broken fencing number off the swarm; return what was taken off."""
        taken: list[str] = []
        with _translate_errors(self.host):
            _update_spec(
                self._api.inspect_swarm, specs.swarm_spec, partial(without_broken_token, taken), self._api.update_swarm
            )
        return tuple(taken[-1:])


def _update_spec(
    read: Callable[[], Any], built: Callable[[Any], specs.Spec], change: SpecChange, write: Callable[[int, Any], Any]
) -> None:
    """Read, build the Spec again, change, write with the version index; again when somebody was faster.

    No change, no write. What an Engine shows is never written back as it is.
    """
    for attempt in range(5):
        current = read()
        now = built(current["Spec"])
        new_spec = change(now)
        if new_spec == now:
            return
        try:
            write(specs.version_index(current), new_spec)
            return
        except APIError as error:
            if "out of sequence" not in str(error) or attempt == 4:
                raise


def _node_id(said: str) -> str:
    """A host says itself which node it is, and an ID stands in the path of what a manager is asked."""
    if not swarm.NODE_ID.fullmatch(said):
        raise EngineRefused(f"{one_line(said, 40) or 'nothing'} is no node ID", hint="See /swarm nodes.")
    return said


def _client(host: Host, version: str, timeout: float) -> APIClient:
    base_url = f"https://{host.address}:{host.engine_port}"
    client = APIClient(base_url=base_url, version=version, tls=True, timeout=timeout)  # type: ignore[arg-type]
    client.trust_env = False  # REQUESTS_CA_BUNDLE would replace the fleet's own CA
    client.proxies = {}
    client.mount("https://", EngineAdapter(_tls_context(host)))
    return client


def _tls_context(host: Host) -> ssl.SSLContext:
    """docker-machine's certificates have no key identifiers, which Python 3.13 asks for; all else is checked."""
    assert host.tls is not None
    context = ssl.create_default_context(cafile=str(host.tls / "ca.pem"))
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.load_cert_chain(host.tls / "cert.pem", host.tls / "key.pem")
    return context


def _parse_api_version(said: str) -> str:
    """Raise ValueError for what could not stand in a path as it is."""
    if not re.fullmatch(r"1\.[0-9]{1,3}", said):
        raise ValueError("no API version")
    return said


def _without_surrogates(document: Any) -> Any:
    """Without halves of characters, which JSON lets a host say and nobody can write down."""
    return json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))


@contextmanager
def _translate_errors(host: Host) -> Iterator[None]:
    try:
        yield
    except APIError as api_error:
        explanation = one_line(str(api_error.explanation or api_error))
        raise EngineRefused(f"{host.name}'s Engine says: {explanation}", host=host.name) from api_error
    except NotAnEngine as format_error:
        raise EngineRefused(f"{host.name} {NOT_AN_ENGINE}: {format_error}", host=host.name) from format_error
    except requests.exceptions.InvalidJSONError as format_error:
        raise EngineRefused(f"{host.name} {NOT_AN_ENGINE}: no JSON", host=host.name) from format_error
    except (requests.RequestException, DockerException, OSError) as network_error:
        raise Unreachable(
            f"{host.name}'s Engine does not answer on {host.address}:{host.engine_port}: {_root_cause(network_error)}",
            host=host.name,
        ) from network_error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as format_error:
        raise EngineRefused(f"{host.name} {NOT_AN_ENGINE}", host=host.name) from format_error


def _root_cause(error: Exception) -> str:
    """requests wraps the cause in layers of class names; people want the last line of it."""
    for word in (
        "Connection refused",
        "certificate verify failed",
        "timed out",
        "No route to host",
        "Connection reset",
    ):
        if word in str(error):
            return word.lower()
    return one_line(str(error)) or type(error).__name__


class EngineFactory(Protocol):
    """Engine itself, or a stand-in of the tests. `timeout`: seconds for each call."""

    def __call__(self, host: Host, timeout: float = 10) -> Engine: ...
