import pytest

from imker.log import _redact_event
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
