"""Store the watch's mode and state in Redis, and read what the RQ workers observed. Every value is signed."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from redis import Redis

from bot.watch.model import WatchMode, WatchState
from imker import signing
from imker.ignored_values import log_ignored, log_other_version
from imker.protocol.observation import HostObservation, Observation
from imker.protocol.version import HOST_OBSERVATION_KEY, KNOWN_SWARM_KEY, OBSERVATION_KEY
from imker.signing import SigningKey

MODE_KEY, STATE_KEY = "bot:watch:mode", "bot:watch:state"
Value = TypeVar("Value", WatchMode, WatchState, Observation, HostObservation)
_MODE: TypeAdapter[WatchMode] = TypeAdapter(WatchMode)
_STATE: TypeAdapter[WatchState] = TypeAdapter(WatchState)
_OBSERVATION: TypeAdapter[Observation] = TypeAdapter(Observation)
_HOSTS: TypeAdapter[HostObservation] = TypeAdapter(HostObservation)


@dataclass(frozen=True)
class WatchSnapshot:
    """What Redis has of the watch at one moment. `has_swarm`: an RQ worker has seen a swarm."""

    mode: WatchMode
    state: WatchState
    observation: Observation | None
    host_observation: HostObservation | None
    has_swarm: bool


class WatchStore:
    """Read and write what belongs to the watch. Values that have not changed are parsed once."""

    def __init__(self, redis: "Redis", key: SigningKey) -> None:
        self._redis = redis
        self._key = key
        self._parsed: dict[str, tuple[object, Any]] = {}  # by Redis key: the stored value, and what it means

    def snapshot(self) -> WatchSnapshot:
        """Return everything, with one round trip."""
        keys = (MODE_KEY, STATE_KEY, OBSERVATION_KEY, HOST_OBSERVATION_KEY, KNOWN_SWARM_KEY)
        pipeline = self._redis.pipeline(transaction=False)
        for name in keys:
            pipeline.get(name)
        stored = dict(zip(keys, pipeline.execute(), strict=True))
        return WatchSnapshot(
            self._parse(MODE_KEY, _MODE, stored[MODE_KEY]) or WatchMode(),
            self._parse(STATE_KEY, _STATE, stored[STATE_KEY]) or WatchState(),
            self._parse(OBSERVATION_KEY, _OBSERVATION, stored[OBSERVATION_KEY]),
            self._parse(HOST_OBSERVATION_KEY, _HOSTS, stored[HOST_OBSERVATION_KEY]),
            self._is_swarm(stored[KNOWN_SWARM_KEY]),
        )

    def mode(self) -> WatchMode:
        """Return the mode that a user chose, or the default."""
        return self._parse(MODE_KEY, _MODE, self._redis.get(MODE_KEY)) or WatchMode()

    def state(self) -> WatchState:
        """Return the state after the latest observation."""
        return self._parse(STATE_KEY, _STATE, self._redis.get(STATE_KEY)) or WatchState()

    def save_mode(self, mode: WatchMode) -> None:
        """Save the mode."""
        self._save(MODE_KEY, _MODE.dump_json(mode).decode())

    def save_state(self, state: WatchState) -> None:
        """Save the state."""
        self._save(STATE_KEY, _STATE.dump_json(state).decode())

    def _save(self, place: str, text: str) -> None:
        self._redis.set(place, signing.sign_for(self._key, place, text))

    def _parse(self, place: str, adapter: TypeAdapter[Value], stored: object) -> Value | None:
        """Return the value, None if it is missing or invalid."""
        parsed = self._parsed.get(place)
        if parsed and parsed[0] == stored:
            return parsed[1]  # type: ignore[no-any-return]
        value = self._decode(place, adapter, stored)
        self._parsed[place] = stored, value
        return value

    def _decode(self, place: str, adapter: TypeAdapter[Value], stored: object) -> Value | None:
        if stored is None:
            return None
        text = signing.open_signed(self._key, place, stored)
        if text is None:
            log_ignored(place, "of the watch")
            return None
        try:
            return adapter.validate_json(text)
        except ValidationError:
            log_other_version(place)
            return None

    def _is_swarm(self, stored: object) -> bool:
        text = signing.open_signed(self._key, KNOWN_SWARM_KEY, stored)
        try:
            return bool(text) and bool(json.loads(text or "{}").get("cluster"))
        except (ValueError, AttributeError):
            return False
