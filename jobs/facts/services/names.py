"""Find services by what users type: the full name, or the name without its stack's prefix. Pure."""

import difflib
from collections.abc import Iterable, Sequence

from jobs.facts.services.model import Service


def is_named(service: Service, text: str) -> bool:
    """Return whether the service may be meant: its name, or that without the stack, is what was typed."""
    return text in (service.name, short_name(service))


def short_name(service: Service) -> str:
    """Return the name without the stack's prefix."""
    return service.name.removeprefix(f"{service.stack}_") if service.stack else service.name


def find_named(services: Iterable[Service], text: str) -> tuple[Service, ...]:
    """Return the service with this name; else all services that have it without their stack's prefix."""
    candidates = tuple(service for service in services if is_named(service, text))
    exact = tuple(service for service in candidates if service.name == text)
    return exact or candidates


def similar_names(services: Sequence[Service], text: str) -> tuple[str, ...]:
    """Return the names that are most like what was typed, at most three."""
    by_spelling = {spelling: service.name for service in services for spelling in (service.name, short_name(service))}
    matches = difflib.get_close_matches(text, by_spelling, 3)
    return tuple(dict.fromkeys(by_spelling[match] for match in matches))
