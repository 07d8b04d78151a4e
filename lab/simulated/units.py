"""Transient units of a simulated host's systemd. They run in their own threads, independent of connections."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Unit:
    """A transient unit. `stop_requested` is set to end its work."""

    name: str
    description: str = ""
    active_state: str = "active"
    sub_state: str = "running"
    exit_status: int = 0
    remains: bool = True  # RemainAfterExit: a successful unit stays until it is stopped
    output: list[str] = field(default_factory=list)
    stop_requested: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> bool:
        """Wait for that many seconds. Return False if the unit has to stop."""
        return not self.stop_requested.wait(seconds)


Work = Callable[[Unit], int]


class Units:
    """Units started with RemainAfterExit stay "exited" after success until they are stopped; others disappear."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._units: dict[str, Unit] = {}

    def start(self, name: str, work: Work, description: str = "", remains: bool = True) -> bool:
        """Start a unit. Return False if a unit of this name exists."""
        with self._lock:
            if name in self._units:
                return False
            unit = self._units[name] = Unit(name, description, remains=remains)
        threading.Thread(target=self._run, args=(unit, work), name=name, daemon=True).start()
        return True

    def get(self, name: str) -> Unit | None:
        with self._lock:
            return self._units.get(name)

    def is_running(self, name: str) -> bool:
        unit = self.get(name)
        return unit is not None and unit.sub_state == "running"

    def stop(self, name: str) -> bool:
        """Stop a unit. A failed one stays in the state "failed"."""
        unit = self.get(name)
        if unit is None:
            return False
        unit.stop_requested.set()
        with self._lock:
            if unit.active_state != "failed":
                self._units.pop(name, None)
        return True

    def reset_failed(self, name: str) -> bool:
        with self._lock:
            unit = self._units.get(name)
            if unit is not None and unit.active_state == "failed":
                del self._units[name]
            return unit is not None

    def power_off(self) -> None:
        """Forget all transient units, as a reboot does."""
        with self._lock:
            units, self._units = list(self._units.values()), {}
        for unit in units:
            unit.stop_requested.set()

    def _run(self, unit: Unit, work: Work) -> None:
        unit.exit_status = work(unit)
        with self._lock:
            unit.active_state, unit.sub_state = ("failed", "failed") if unit.exit_status else ("active", "exited")
            if not unit.remains and not unit.exit_status and self._units.get(unit.name) is unit:
                del self._units[unit.name]
