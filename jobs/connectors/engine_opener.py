"""Open Engines over TLS or SSH, as the inventory says for each host."""

from functools import partial

from jobs.connectors.engine import Engine, EngineFactory
from jobs.connectors.shared_shells import SharedShells
from jobs.inventory.model import Host


class EngineOpener:
    """An EngineFactory. Engines over SSH use the connections that the job has to their hosts anyway."""

    def __init__(self, over_tls: EngineFactory, shells: SharedShells) -> None:
        self._over_tls = over_tls
        self._shells = shells

    def __call__(self, host: Host, timeout: float = 10) -> Engine:
        if host.engine_over == "tls":
            return self._over_tls(host, timeout=timeout)
        return Engine(host, timeout, dial=partial(self._shells.connect_engine, host))
