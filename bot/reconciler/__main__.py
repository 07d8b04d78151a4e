"""Run the reconciler: `python -m bot.reconciler` keeps each run's message current. Only it writes to channels.

Level-triggered: it folds all that is known of a run, renders it, and edits the message when the result differs from the
last post. It keeps no position in a stream, so it can be killed at any time. Wake-ups and a tick start each pass.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache

from slack_sdk import WebClient
from slack_sdk.http_retry import RetryHandler

from bot import settings
from bot.handlers.access import Access
from bot.handlers.audit import AuditRecorder
from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.home import HomePublisher
from bot.reconciler.incident_messages import IncidentMessages
from bot.reconciler.loop import Reconciler
from bot.reconciler.metrics.run_observer import RunObserver
from bot.reconciler.metrics.setup import start_metrics
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.reconciler.revocation import Revocation
from bot.reconciler.wake_loop import run_loop
from bot.reconciler.watcher import Watcher
from bot.reconciler.welcomes import WelcomePoster
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack import tls
from bot.slack.users import UserDirectory
from imker import audit_log, log, redis_connection, signing
from imker.audit_log import AuditLog
from imker.config import ConfigError

TICK_SECONDS = 1.5
SLACK_TIMEOUT = 10  # seconds


def main() -> int:
    """Run until SIGTERM or SIGINT and return the exit status."""
    log.configure_logging()
    with ExitStack() as stack:
        try:
            configuration = settings.load(is_receiving=False)
            redis, key = redis_connection.connect(configuration.redis_url), signing.load_signing_key()
            observer = start_metrics(stack, redis, key)
        except (ConfigError, redis_connection.RedisUnavailable) as error:
            print(error, file=sys.stderr)
            return 2
        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        signal.signal(signal.SIGINT, lambda *_: stopping.set())
        audit, runs = AuditLog(redis, audit_log.read_audit_key()), RunStore(redis, time.time, key)
        reconciler = _compose(configuration, runs, audit, observer)
        watcher = Watcher(runs, configuration.watch.every)

        def advance(is_leader: Callable[[], bool]) -> None:
            reconciler.fleets.advance_all(is_leader)
            watcher.watch(is_leader)

        run_loop(reconciler.reconcile_all, advance, redis, stopping, TICK_SECONDS)
    return 0


def _compose(configuration: Settings, runs: RunStore, audit: AuditLog, observer: RunObserver) -> Reconciler:
    client = WebClient(
        token=configuration.bot_token.get_secret_value(),
        base_url=configuration.api_url,
        timeout=SLACK_TIMEOUT,
        ssl=tls.context_for(configuration.api_url),
        retry_handlers=list[RetryHandler](),  # the SDK's would post twice after a lost reply, and delay other runs
    )
    revocation = Revocation(configuration, client, runs, AuditRecorder(audit))
    access = _access(configuration, client)
    return Reconciler(
        runs,
        Publisher(runs, client, api_url=configuration.api_url),
        AuditCheckpoints(client, audit, runs, next(iter(configuration.channels), "")),
        OrphanedMessages(client, runs, configuration.channels),
        Alerts(configuration, client, runs, lambda channel, user: access().can_answer(channel, user)),
        stop_if_revoked=revocation.stop_if_revoked,
        more_tasks={
            "watch": IncidentMessages(client, runs, configuration.watch_channel).publish,
            "home": HomePublisher(runs, client, access).publish_due,
            "welcomes": WelcomePoster(client, runs, configuration).post_requested,
        },
        observer=observer,
    )


def _access(configuration: Settings, client: WebClient) -> Callable[[], Access]:
    """Return a function that returns the rights. Its first call asks Slack for the workspace, unless it is known."""

    @cache
    def access() -> Access:
        team = configuration.team or str(client.auth_test()["team_id"])
        users = UserDirectory(client, configuration.rights.groups)
        return Access(configuration.rights, configuration.channels, users, team)

    return access


if __name__ == "__main__":
    sys.exit(main())
