"""A response_url is posted to only where it is Slack's."""

from dataclasses import replace

import pytest
from redis import Redis

from bot.inbox import Inbox
from bot.limit import Limit
from bot.reception import Reception
from bot.response_url import accepted
from bot.settings import SLACK
from tests.bot.desk import KEY, Bench
from tests.bot.test_inbox import ALL, ASKED, Slack

LAB, GOV = "http://127.0.0.1:8080/api/", "https://slack-gov.com/api/"
GOOD = [
    ("https://hooks.slack.com/commands/T01/2/x", SLACK),
    ("https://hooks.slack.com/actions/T01/2/x", LAB),
    ("https://slack.com/x", SLACK),
    ("https://hooks.slack-gov.com/commands/T01", GOV),
    ("http://127.0.0.1:8080/response/R1", LAB),
]
BAD = [
    ("", SLACK),
    ("http://127.0.0.1:8080/response/R1", SLACK),
    ("http://127.0.0.1:8081/response/R1", LAB),
    ("https://127.0.0.1:8080/response/R1", LAB),
    ("http://hooks.slack.com/commands/T01", SLACK),
    ("https://hooks.slack.com:8443/commands/T01", SLACK),
    ("https://hooks.slack.com.example.org/commands", SLACK),
    ("https://evil-hooks.slack.com/commands", SLACK),
    ("https://hooks.slack.com@127.0.0.1/x", SLACK),
    ("https://x:y@hooks.slack.com/x", SLACK),
    ("https://127.0.0.1\\@hooks.slack.com/x", SLACK),
    ("https://hooks.slack.com\n@127.0.0.1/x", SLACK),
    ("https://hooks.slack.com:x/y", SLACK),
    ("https://[::1/x", SLACK),
    ("file:///etc/passwd", SLACK),
    ("hooks.slack.com", SLACK),
]


@pytest.mark.parametrize(("url", "api_url"), GOOD)
def test_slacks_own_is_accepted(url: str, api_url: str) -> None:
    assert accepted(url, api_url) == url


@pytest.mark.parametrize(("url", "api_url"), BAD)
def test_any_other_is_not(url: str, api_url: str) -> None:
    assert accepted(url, api_url) == ""


def test_one_of_another_host_is_not_even_kept(redis: Redis) -> None:
    """The answer comes all the same, by Slack's API."""
    bench, slack = Bench(redis, ALL), Slack()
    bot = Reception(bench.desk, Inbox(redis, KEY, lambda: ASKED.at), slack, Limit(1000))  # type: ignore[arg-type]
    bot.receive(replace(ASKED, url="http://127.0.0.1:9/internal"), lambda: None)  # type: ignore[arg-type]
    (run,) = bench.runs.open_runs()
    assert bench.runs.answer_url(run) == ""
    bot.receive(replace(ASKED, id="trigger.2", text="help", url="http://127.0.0.1:9/internal"), lambda: None)  # type: ignore[arg-type]
    assert len(slack.told) == 1
