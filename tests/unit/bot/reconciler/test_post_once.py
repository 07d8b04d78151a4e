"""A post is made once, whichever of its steps fails."""

from collections.abc import Callable

import pytest
from redis import Redis
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot.reconciler.post_once import PostResult, post_once
from bot.runs.posted_messages import PostedMessages
from tests.support.bot_harness import KEY

RUN = "k3fm9x2q"


class Channel:
    """The posts in a channel. `error`: raised by the next post, before or after it is made."""

    def __init__(self, redis: Redis) -> None:
        self.store = PostedMessages(redis, KEY)
        self.posts: list[str] = []
        self.search_count = 0
        self.before: Exception | None = None
        self.after: Exception | None = None

    def post(self) -> PostResult:
        def save(**fields: str) -> None:
            self.store.update(RUN, **fields)

        return post_once(self.store.get(RUN), save, "detail", self._find, self._send)

    def _find(self) -> str:
        self.search_count += 1
        return next(iter(self.posts), "")

    def _send(self) -> str:
        if self.before:
            error, self.before = self.before, None
            raise error
        self.posts.append("1795440000.000100")
        if self.after:
            error, self.after = self.after, None
            raise error
        return self.posts[-1]


@pytest.fixture
def channel(redis: Redis) -> Channel:
    return Channel(redis)


def slack_error(status: int, code: str) -> SlackApiError:
    data = {"ok": False, "error": code}
    response = SlackResponse(
        client=None, http_verb="POST", api_url="", req_args={}, data=data, headers={}, status_code=status
    )
    return SlackApiError(code, response)


def fail(attempt: Callable[[], object]) -> None:
    with pytest.raises((SlackApiError, TimeoutError)):
        attempt()


def test_posts_once(channel: Channel) -> None:
    assert channel.post() == PostResult("1795440000.000100", True)
    assert channel.post() == PostResult("1795440000.000100", False)
    assert (len(channel.posts), channel.search_count) == (1, 0)


def test_finds_a_post_whose_reply_was_lost(channel: Channel) -> None:
    channel.after = TimeoutError()
    fail(channel.post)
    assert channel.post() == PostResult("1795440000.000100", False)
    assert len(channel.posts) == 1


def test_posts_again_what_never_reached_slack(channel: Channel) -> None:
    channel.before = TimeoutError()
    fail(channel.post)
    assert channel.post().is_new
    assert (len(channel.posts), channel.search_count) == (1, 1)


@pytest.mark.parametrize(
    ("status", "code", "searches"), [(429, "ratelimited", 0), (200, "not_in_channel", 0), (500, "internal_error", 1)]
)
def test_searches_only_after_an_error_that_may_have_posted(
    channel: Channel, status: int, code: str, searches: int
) -> None:
    channel.before = slack_error(status, code)
    fail(channel.post)
    channel.post()
    assert (len(channel.posts), channel.search_count) == (1, searches)


def test_searches_if_the_saved_fields_were_damaged(channel: Channel, redis: Redis) -> None:
    channel.post()
    redis.hset(f"bot:run:{RUN}:posted", "detail", "not signed")
    assert channel.post() == PostResult("1795440000.000100", False)
    assert len(channel.posts) == 1
