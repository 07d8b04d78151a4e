"""Requests to Slack verify its certificate, and load the CA certificates once."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.listeners.private_replies import PrivateReplies
from bot.messages.replies import responses
from bot.slack import tls
from tests.unit.bot.listeners.test_receiver import COMMAND

NOTHING_LISTENS = "https://127.0.0.1:1/api/"


@pytest.fixture(autouse=True)
def new_context() -> Iterator[None]:
    tls._context.cache_clear()
    yield
    tls._context.cache_clear()


def test_verifies_certificates_and_names() -> None:
    context = tls.context_for("https://slack.com/api/")
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls.context_for("http://127.0.0.1:8080/api/") is None


@pytest.mark.processes
def test_loads_the_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    load = ssl.SSLContext.load_default_certs

    def count(context: ssl.SSLContext, *arguments: Any) -> None:
        loads.append(1)
        load(context, *arguments)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", count)
    client = WebClient("xoxb-1", NOTHING_LISTENS, ssl=tls.context_for(NOTHING_LISTENS))
    for url in (NOTHING_LISTENS, ""):
        reply = PrivateReplies(client, NOTHING_LISTENS, lambda message: message).to(replace(COMMAND, response_url=url))
        reply(responses.info("hello"))
    assert loads == [1]
