"""Create the Docker SDK's client of an Engine, over TLS or SSH."""

from docker.api.client import APIClient

from jobs.connectors.engine_tls import tls_context
from jobs.connectors.engine_transport import Dial, EngineAdapter, tls_dial
from jobs.inventory.model import Host

OVER_SSH_URL = "http://docker:2375"  # for the Host header only: the adapter connects elsewhere


def open_client(host: Host, timeout: float, api_version: str, dial: Dial | None) -> APIClient:
    """Return a client. `dial`: how to connect over SSH; without it, the client connects to the TLS port."""
    base_url = OVER_SSH_URL if dial else f"https://{host.address}:{host.engine_port}"
    client = APIClient(base_url=base_url, version=api_version, tls=dial is None, timeout=timeout)  # type: ignore[arg-type]
    client.trust_env = False  # REQUESTS_CA_BUNDLE would replace the CA of the fleet
    client.proxies = {}
    adapter = EngineAdapter(dial or _dial_tls(host))
    for scheme in ("https://", "http://"):
        client.mount(scheme, adapter)
    return client


def _dial_tls(host: Host) -> Dial:
    assert host.tls is not None, "the inventory requires it of a host without SSH to its Engine"
    return tls_dial(host.address, host.engine_port, tls_context(host.tls))
