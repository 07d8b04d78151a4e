"""The environment: which transports are configured, and which problems are reported."""

from pathlib import Path

import pytest

from bot import settings
from imker.config import ConfigError

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "imker.toml"
    path.write_text('[slack]\nchannels = ["C01OPS"]\n[rights]\nread = ["*"]\n')
    return {"IMKER_CONFIG": str(path)}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, "SLACK_BOT_TOKEN: missing"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN: missing"),
        ({"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"}, "are the two swapped?"),
        ({**TOKENS, "IMKER_HTTP": "127.0.0.1:8080"}, "SLACK_SIGNING_SECRET: missing"),
        ({**TOKENS, "SLACK_SIGNING_SECRET": "s", "IMKER_HTTP": "8080"}, "is not HOST:PORT"),
        ({**TOKENS, "SLACK_SIGNING_SECRET": "s", "IMKER_HTTP": "127.0.0.1:http"}, "is not HOST:PORT"),
        ({**TOKENS, "SLACK_SIGNING_SECRET": "s", "IMKER_HTTP": "127.0.0.1:65536"}, "is not HOST:PORT"),
    ],
)
def test_reports_invalid_transport_settings(config: dict[str, str], values: dict[str, str], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong.replace("?", r"\?")):
        settings.load({**config, **values})


@pytest.mark.parametrize(
    ("values", "http", "socket"),
    [
        (TOKENS, None, True),
        ({**TOKENS, "SLACK_SIGNING_SECRET": "s"}, None, True),
        ({**TOKENS, "SLACK_SIGNING_SECRET": "s", "IMKER_HTTP": "127.0.0.1:8080"}, ("127.0.0.1", 8080), True),
        (
            {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "IMKER_HTTP": "[::1]:8080"},
            ("::1", 8080),
            False,
        ),
    ],
)
def test_opens_the_configured_transports(
    config: dict[str, str], values: dict[str, str], http: tuple[str, int] | None, socket: bool
) -> None:
    loaded = settings.load({**config, **values})
    assert (loaded.http, loaded.app_token is not None) == (http, socket)
    assert "xoxb-1" not in repr(loaded)


def test_a_process_that_only_posts_needs_the_bot_token_only(config: dict[str, str]) -> None:
    """The reconciler's machine or container then has no token with which commands can be received."""
    values = {**config, "SLACK_BOT_TOKEN": "xoxb-1", "IMKER_HTTP": "127.0.0.1:8080"}
    assert settings.load(values, is_receiving=False).app_token is None
    with pytest.raises(ConfigError, match="SLACK_BOT_TOKEN: missing"):
        settings.load(config, is_receiving=False)
