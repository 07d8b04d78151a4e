"""Run the bot over Socket Mode, HTTP, or both.

Exits with status 1 when a transport stops responding, so that the supervisor restarts it.
"""

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
from bot.listeners.heartbeat import run_heartbeat
from bot.listeners.receiver import DeliveryReceiver
from bot.listeners.socket_mode import HealthCheck, Transport, open_socket_mode
from bot.runs.store import RunStore
from bot.settings import Settings
from imker import log, redis_connection, service_manager, signing
from imker.config import ConfigError

logger = structlog.get_logger()


def main() -> int:
    """Run until SIGTERM or SIGINT. Return the exit status; with 2, a restart would not help."""
    log.configure_logging()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    try:
        configuration = settings.load()
        redis = redis_connection.connect(configuration.redis_url)
        bolt, receiver = app.build(configuration, redis)
        with ExitStack() as stack:
            runs = RunStore(redis, time.time, signing.load_signing_key())
            transports = _open_transports(stack, configuration, bolt, runs)
            stack.enter_context(run_heartbeat(redis, lambda: all(each.is_connected() for each in transports)))
            return _watch_transports([each.find_problem for each in transports], receiver, stopping)
    except (ConfigError, redis_connection.RedisUnavailable) as error:
        print(error, file=sys.stderr)
    except SlackApiError as slack_error:
        return _report_token_error(slack_error.response)
    except (OSError, HTTPException) as network_error:
        print(f"Slack does not respond ({network_error}). Start the bot again.", file=sys.stderr)
        return 1
    return 2


def _report_token_error(response: Any) -> int:
    """Print why Slack refused `auth.test`. Only status 200 is about the token; with another one a restart may help."""
    if response.status_code == 200:
        print(f"Slack rejected SLACK_BOT_TOKEN: {response['error']}", file=sys.stderr)
        return 2
    print(f"Slack returned status {response.status_code}. Start the bot again.", file=sys.stderr)
    return 1


def _open_transports(stack: ExitStack, configuration: Settings, bolt: App, runs: RunStore) -> list[Transport]:
    """Open each configured transport. Raise ConfigError if the HTTP port is in use."""
    transports: list[Transport] = []
    if configuration.http and configuration.signing_secret:
        try:
            from bot.listeners import http  # an HTTP server that Socket Mode does not need in memory
        except ModuleNotFoundError as missing:
            raise ConfigError([f"IMKER_HTTP: {missing.name} is not installed; install 'imker[http]'"]) from missing

        asgi = http.build(bolt, configuration.signing_secret.get_secret_value(), runs.claim_delivery)
        try:
            thread = stack.enter_context(http.serve(asgi, configuration.http))
        except OSError as error:
            raise ConfigError([f"IMKER_HTTP: cannot listen on this address: {error.strerror}"]) from error
        is_alive = thread.is_alive
        transports.append(Transport(lambda: "" if is_alive() else "the HTTP server has stopped", is_alive))
    if configuration.app_token:
        transports.append(stack.enter_context(open_socket_mode(bolt, configuration.app_token.get_secret_value())))
    return transports


def _watch_transports(transports: list[HealthCheck], receiver: DeliveryReceiver, stopping: threading.Event) -> int:
    """Wait, and return the exit status: 0 when stopped, 1 when a transport does not respond.

    Meanwhile a thread handles the deliveries that other bots left.
    """
    ended = threading.Event()
    threading.Thread(target=_recover_deliveries, args=(receiver, ended), name="recover", daemon=True).start()
    try:
        return _wait_until_unresponsive(transports, stopping)
    finally:
        ended.set()


def _wait_until_unresponsive(transports: list[HealthCheck], stopping: threading.Event) -> int:
    service_manager.notify(service_manager.READY)
    while not stopping.wait(1):
        service_manager.notify(service_manager.ALIVE)
        problem = next(filter(None, (find_problem() for find_problem in transports)), "")
        if problem:
            print(f"{problem}; exiting, so that the supervisor restarts the bot", file=sys.stderr)
            return 1
    service_manager.notify(service_manager.STOPPING)
    return 0


def _recover_deliveries(receiver: DeliveryReceiver, ended: threading.Event) -> None:
    """Handle what other bots left, once a second. No error stops this loop."""
    while not ended.wait(1):
        try:
            receiver.recover_abandoned()
        except Exception:
            logger.exception("could not recover deliveries")
