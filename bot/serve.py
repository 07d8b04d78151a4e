"""`python -m bot`: takes commands and clicks, over Socket Mode, HTTP or both. Deaf, it ends, to be started again."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from typing import Any

import structlog
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackApiError

from bot import app, http, settings
from bot.reception import Reception
from bot.runs import Runs
from bot.settings import Settings
from imker import broker, log, signing
from imker.config import ConfigError

AT_ONCE, PING = 20, 3  # envelopes at once; seconds
DEAF = 20.0  # seconds without a pong after which a connection counts as deaf
GONE = 600.0  # seconds without a connection, which the SDK tries to make all the while
logger = structlog.get_logger()
Hears = Callable[[], str]  # "" while it hears; else why it does not


def main() -> int:
    log.set_up()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    try:
        loaded = settings.load()
        redis = broker.connect(loaded.redis_url)
        bolt, reception = app.build(loaded, redis)
        with ExitStack() as stack:
            ways = _ways(stack, loaded, bolt, Runs(redis, time.time, signing.load()))
            return _watch(ways, reception, over)
    except (ConfigError, broker.NoRedis) as wrong:
        print(wrong, file=sys.stderr)
    except SlackApiError as refused:
        return _refused(refused.response)
    except (OSError, HTTPException) as away:
        print(f"Slack does not answer ({away}); start the bot again", file=sys.stderr)
        return 1
    return 2


def _refused(answer: Any) -> int:
    """What Slack answers with 200 is about the token; all else is Slack's own trouble, and another start may do."""
    if answer.status_code == 200:
        print(f"Slack refuses SLACK_BOT_TOKEN: {answer['error']}", file=sys.stderr)
        return 2
    print(f"Slack does not answer as it should (status {answer.status_code}); start the bot again", file=sys.stderr)
    return 1


def _ways(stack: ExitStack, loaded: Settings, bolt: App, runs: Runs) -> list[Hears]:
    """Opens each way in that is configured. Raises ConfigError for a port that is taken."""
    ways: list[Hears] = []
    if loaded.http and loaded.signing_secret:
        asgi = http.build(bolt, loaded.signing_secret.get_secret_value(), runs.first_seen)
        try:
            thread = stack.enter_context(http.served(asgi, loaded.http))
        except OSError as taken:
            raise ConfigError([f"IMKER_HTTP: cannot listen there: {taken.strerror}"]) from taken
        ways.append(lambda: "" if thread.is_alive() else "the HTTP server has ended")
    if loaded.app_token:
        ways.append(stack.enter_context(_socket_mode(bolt, loaded.app_token.get_secret_value())))
    return ways


@contextmanager
def _socket_mode(bolt: App, token: str) -> Iterator[Hears]:
    handler = SocketModeHandler(bolt, token, concurrency=AT_ONCE, ping_interval=PING)

    def pong() -> float | None:
        session = handler.client.current_session
        return session.last_ping_pong_time if session else None

    handler.connect()  # type: ignore[no-untyped-call]
    try:
        yield hearing(pong, handler.client.is_connected)
    finally:
        handler.close()  # type: ignore[no-untyped-call]


def hearing(
    pong: Callable[[], float | None], connected: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Hears:
    """Whether pongs come: the SDK itself does not notice if the first never did, nor by a clock that is set.

    `pong`: when the SDK heard the last one, by any clock, None before the first of a connection; `clock`: seconds.
    """
    last, since = pong(), clock()

    def hears() -> str:
        nonlocal last, since
        heard = pong()
        if heard is not None and heard != last:
            last, since = heard, clock()
        if clock() - since > (DEAF if connected() else GONE):
            return "the Socket Mode connection is deaf"
        return ""

    return hears


def _watch(ways: list[Hears], reception: Reception, over: threading.Event) -> int:
    """0 when told to stop; 1 when a way in is deaf. What another bot left is handled meanwhile."""
    ended = threading.Event()
    threading.Thread(target=_catch_up, args=(reception, ended), name="catch up", daemon=True).start()
    try:
        return _until_deaf(ways, over)
    finally:
        ended.set()


def _until_deaf(ways: list[Hears], over: threading.Event) -> int:
    while not over.wait(1):
        deaf = next(filter(None, (hears() for hears in ways)), "")
        if deaf:
            print(f"{deaf}; ending, to be started again", file=sys.stderr)
            return 1
    return 0


def _catch_up(reception: Reception, ended: threading.Event) -> None:
    """Handle what another bot left, once a second. Nothing that breaks ends this."""
    while not ended.wait(1):
        try:
            reception.catch_up()
        except Exception:
            logger.exception("could not catch up")
