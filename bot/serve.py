"""`python -m bot`: takes commands and clicks, over Socket Mode, HTTP or both. Deaf, it ends, to be started again."""

import signal
import sys
import threading
import time
from contextlib import ExitStack
from http.client import HTTPException
from typing import Any

import structlog
from slack_bolt import App
from slack_sdk.errors import SlackApiError

from bot import app, settings
from bot.listeners import http
from bot.listeners.receiver import DeliveryReceiver
from bot.listeners.socket_mode import HealthCheck, open_socket_mode
from bot.runs.store import RunStore
from bot.settings import Settings
from imker import log, redis_connection, signing
from imker.config import ConfigError

logger = structlog.get_logger()


def main() -> int:
    log.configure_logging()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    try:
        configuration = settings.load()
        redis = redis_connection.connect(configuration.redis_url)
        bolt, reception = app.build(configuration, redis)
        with ExitStack() as stack:
            ways = _open_transports(stack, configuration, bolt, RunStore(redis, time.time, signing.load_signing_key()))
            return _watch_transports(ways, reception, over)
    except (ConfigError, redis_connection.RedisUnavailable) as error:
        print(error, file=sys.stderr)
    except SlackApiError as slack_error:
        return _report_token_error(slack_error.response)
    except (OSError, HTTPException) as network_error:
        print(f"Slack does not answer ({network_error}); start the bot again", file=sys.stderr)
        return 1
    return 2


def _report_token_error(answer: Any) -> int:
    """What Slack answers with 200 is about the token; all else is Slack's own trouble, and another start may do."""
    if answer.status_code == 200:
        print(f"Slack refuses SLACK_BOT_TOKEN: {answer['error']}", file=sys.stderr)
        return 2
    print(f"Slack does not answer as it should (status {answer.status_code}); start the bot again", file=sys.stderr)
    return 1


def _open_transports(stack: ExitStack, configuration: Settings, bolt: App, runs: RunStore) -> list[HealthCheck]:
    """Opens each way in that is configured. Raises ConfigError for a port that is taken."""
    ways: list[HealthCheck] = []
    if configuration.http and configuration.signing_secret:
        asgi = http.build(bolt, configuration.signing_secret.get_secret_value(), runs.claim_delivery)
        try:
            thread = stack.enter_context(http.serve(asgi, configuration.http))
        except OSError as error:
            raise ConfigError([f"IMKER_HTTP: cannot listen there: {error.strerror}"]) from error
        ways.append(lambda: "" if thread.is_alive() else "the HTTP server has ended")
    if configuration.app_token:
        ways.append(stack.enter_context(open_socket_mode(bolt, configuration.app_token.get_secret_value())))
    return ways


def _watch_transports(transports: list[HealthCheck], receiver: DeliveryReceiver, stopping: threading.Event) -> int:
    """0 when told to stop; 1 when a way in is deaf. What another bot left is handled meanwhile."""
    ended = threading.Event()
    threading.Thread(target=_recover_deliveries, args=(receiver, ended), name="catch up", daemon=True).start()
    try:
        return _wait_until_unresponsive(transports, stopping)
    finally:
        ended.set()


def _wait_until_unresponsive(ways: list[HealthCheck], over: threading.Event) -> int:
    while not over.wait(1):
        deaf = next(filter(None, (hears() for hears in ways)), "")
        if deaf:
            print(f"{deaf}; ending, to be started again", file=sys.stderr)
            return 1
    return 0


def _recover_deliveries(reception: DeliveryReceiver, ended: threading.Event) -> None:
    """Handle what another bot left, once a second. Nothing that breaks ends this."""
    while not ended.wait(1):
        try:
            reception.recover_abandoned()
        except Exception:
            logger.exception("could not catch up")
