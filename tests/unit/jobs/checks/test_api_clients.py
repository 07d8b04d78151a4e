"""Compare containers that use the Docker socket with the oldest API version of the new Engine."""

import pytest

from jobs.checks.api_clients import ApiClient, check_api_clients, is_outdated


@pytest.mark.parametrize(
    ("image", "outdated"),
    [
        ("traefik:1.7", True),
        ("traefik:v2.11", True),
        ("traefik:3.6", False),
        ("traefik:3.6.0", True),
        ("traefik:v3.6.1", False),
        ("traefik:3", False),  # the newest of its series
        ("traefik:2", True),
        ("traefik", False),  # not known
        ("traefik:latest", False),
        ("registry.example:5000/proxy/traefik:2.9@sha256:abc", True),
        ("portainer/portainer-ce:2.19.4", True),
        ("portainer/agent:2.33.5", False),
        ("containrrr/watchtower:1.7.1", True),
        ("containrrr/watchtower", True),
        ("nginx:1.11", False),
    ],
)
def test_knows_images_that_speak_an_old_api(image: str, outdated: bool) -> None:
    assert is_outdated(image) is outdated


def test_warns_only_before_an_engine_that_rejects_old_clients() -> None:
    clients = (ApiClient("proxy", "traefik:1.7"), ApiClient("mine", "acme/tool:1"))
    levels = {
        target: [each.level for each in check_api_clients(clients, target)]
        for target in ("20.10.24", "28.5.2", "29.0.1")
    }
    assert levels == {"20.10.24": [], "28.5.2": ["pass"], "29.0.1": ["warn", "pass"]}
    warning, other = check_api_clients(clients, "29.0.1")
    assert warning.text == (
        "proxy (traefik:1.7): too old for Engine 29, which rejects API versions before 1.44 (1.40 since 29.3)"
    )
    assert other.text.startswith("containers that use the Docker socket: mine;")


def test_nothing_to_say_without_clients() -> None:
    assert list(check_api_clients((), "29.0.0")) == []
