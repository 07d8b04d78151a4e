"""The bot posts to a response_url only if it belongs to Slack."""

from dataclasses import replace

import pytest
from redis import Redis

from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.settings import SLACK_API_URL
from bot.slack.response_url import accepted_url
from tests.support.bot_harness import KEY, BotHarness
from tests.unit.bot.listeners.test_receiver import ALL, COMMAND, Slack

LAB, GOV = "http://127.0.0.1:8080/api/", "https://slack-gov.com/api/"
GOOD = [
    ("https://hooks.slack.com/commands/T01/2/x", SLACK_API_URL),
    ("https://hooks.slack.com/actions/T01/2/x", LAB),
    ("https://slack.com/x", SLACK_API_URL),
    ("https://hooks.slack-gov.com/commands/T01", GOV),
    ("http://127.0.0.1:8080/response/R1", LAB),
]
BAD = [
    ("", SLACK_API_URL),
    ("http://127.0.0.1:8080/response/R1", SLACK_API_URL),
    ("http://127.0.0.1:8081/response/R1", LAB),
    ("https://127.0.0.1:8080/response/R1", LAB),
    ("http://hooks.slack.com/commands/T01", SLACK_API_URL),
    ("https://hooks.slack.com:8443/commands/T01", SLACK_API_URL),
    ("https://hooks.slack.com.example.org/commands", SLACK_API_URL),
    ("https://evil-hooks.slack.com/commands", SLACK_API_URL),
    ("https://hooks.slack.com@127.0.0.1/x", SLACK_API_URL),
    ("https://x:y@hooks.slack.com/x", SLACK_API_URL),
    ("https://127.0.0.1\\@hooks.slack.com/x", SLACK_API_URL),
    ("https://hooks.slack.com\n@127.0.0.1/x", SLACK_API_URL),
    ("https://hooks.slack.com:x/y", SLACK_API_URL),
    ("https://[::1/x", SLACK_API_URL),
    ("file:///etc/passwd", SLACK_API_URL),
    ("hooks.slack.com", SLACK_API_URL),
]


@pytest.mark.parametrize(("url", "api_url"), GOOD)
def test_accepts_urls_of_slack(url: str, api_url: str) -> None:
    assert accepted_url(url, api_url) == url


@pytest.mark.parametrize(("url", "api_url"), BAD)
def test_rejects_other_urls(url: str, api_url: str) -> None:
    assert accepted_url(url, api_url) == ""


def test_does_not_store_a_url_of_another_host(redis: Redis) -> None:
    """The reply is sent through Slack's API instead."""
    bench, slack = BotHarness(redis, ALL), Slack()
    bot = DeliveryReceiver(bench.handler, Inbox(redis, KEY, lambda: COMMAND.received_at), slack, RateLimiter(1000))  # type: ignore[arg-type]
    bot.receive(replace(COMMAND, response_url="http://127.0.0.1:9/internal"), lambda: None)  # type: ignore[arg-type]
    (run,) = bench.runs.open_runs()
    assert bench.runs.response_url(run) == ""
    bot.receive(
        replace(COMMAND, delivery_id="trigger.2", text="help", response_url="http://127.0.0.1:9/internal"), lambda: None
    )  # type: ignore[arg-type]
    assert len(slack.replies) == 1
