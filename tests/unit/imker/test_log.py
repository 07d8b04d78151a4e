import logging

import pytest
import structlog

from imker.log import _redact_event, configure_logging, level_problems
from imker.redaction import redact


@pytest.mark.parametrize(
    "secret",
    [
        "SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv-8vxv8rssmk743ojnwacrr2e7c",
        "xoxb-123-456-abc",
        "xapp-1-A0-1-abc",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_logs_no_secrets(secret: str) -> None:
    assert secret not in redact(f"before {secret} after")
    assert redact(f"before {secret} after").startswith("before ")


def test_logs_no_secrets_inside_values() -> None:
    event = _redact_event(
        None, "", {"event": "ran", "argv": ["join", "SWMTKN-1-abc"], "said": {"x": b"xoxb-1"}, "code": 3}
    )
    assert event == {"event": "ran", "argv": ["join", "…"], "said": {"x": "b'…'"}, "code": 3}


@pytest.mark.parametrize(("level", "lines"), [("", 2), ("info", 2), ("debug", 3), ("warning", 1), ("error", 0)])
def test_the_level_chooses_the_lines(level: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    configured, root = structlog.get_config(), logging.getLogger()
    handlers = root.handlers[:]
    try:
        configure_logging({"IMKER_LOG": level})
        log = structlog.get_logger()
        log.debug("d")
        log.info("i")
        log.warning("w")
    finally:
        structlog.configure(**configured)
        root.handlers[:] = handlers
    assert len(capsys.readouterr().err.splitlines()) == lines
    assert level_problems({"IMKER_LOG": level}) == []


def test_another_level_is_a_problem() -> None:
    assert level_problems({"IMKER_LOG": "loud"}) == ["IMKER_LOG: 'loud' is not one of debug, info, warning, error"]
