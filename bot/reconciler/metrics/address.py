"""Parse the addresses that Imker listens on. Pure."""

import re
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"


def host_port(text: str) -> tuple[str, int] | None:
    """Return host and port of HOST:PORT, None for another text."""
    host, _, port = text.rpartition(":")
    good = re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and host and 0 < int(port) < 65536
    return (host.strip("[]"), int(port)) if good else None


def metrics_address(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """Return host and port, None if IMKER_METRICS is not set. A port alone is one on loopback. Raises ValueError."""
    text = environment.get("IMKER_METRICS", "").strip()
    address = host_port(text if ":" in text else f"{LOOPBACK}:{text}")
    if text and address is None:
        raise ValueError(f"IMKER_METRICS: {text!r} is not HOST:PORT or PORT, for example 127.0.0.1:9105")
    return address if text else None


def address_problems(environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with IMKER_METRICS."""
    try:
        metrics_address(environment)
    except ValueError as problem:
        return [str(problem)]
    return []
