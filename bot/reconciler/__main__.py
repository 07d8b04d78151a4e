"""`python -m bot.reconciler`: keeps each run's one message true. The only writer of messages in channels.

Level-triggered: it folds all that is known of a run, renders, and edits the message when that differs from what it
posted last. It has no cursor to lose, and may be killed at any time. A doorbell wakes it, and a tick.
"""

import signal
import sys
import threading
import time

import structlog
from slack_sdk import WebClient
from slack_sdk.http_retry import RetryHandler

from bot import settings
from bot.handlers.audit import AuditRecorder
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.reconciler.revocation import Revocation
from bot.reconciler.serve import serve
from bot.runs.store import RunStore
from imker import audit_log, log, redis_connection, signing
from imker.audit_log import AuditLog
from imker.config import ConfigError

TICK_SECONDS = 1.5  # seconds between looks
SLACK_TIMEOUT = 10  # seconds that Slack may take to answer

logger = structlog.get_logger()


def main() -> int:
    log.configure_logging()
    try:
        configuration = settings.load()
        redis = redis_connection.connect(configuration.redis_url)
        key = signing.load_signing_key()
    except (ConfigError, redis_connection.RedisUnavailable) as error:
        print(error, file=sys.stderr)
        return 2
    token = configuration.bot_token.get_secret_value()
    # Without the SDK's own retries: they would post again what was heard, and sleep where others' runs could be told.
    client = WebClient(
        token=token, base_url=configuration.api_url, timeout=SLACK_TIMEOUT, retry_handlers=list[RetryHandler]()
    )
    stop_requested = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop_requested.set())
    signal.signal(signal.SIGINT, lambda *_: stop_requested.set())
    runs = RunStore(redis, time.time, key)
    record = AuditLog(redis, audit_log.read_audit_key())
    witness = AuditCheckpoints(client, record, runs, next(iter(configuration.channels), ""))
    messages, past = (
        Publisher(runs, client, api_url=configuration.api_url),
        OrphanedMessages(client, runs, configuration.channels),
    )
    revocation = Revocation(configuration, client, runs, AuditRecorder(record))
    reconciler = Reconciler(runs, messages, witness, past, stops=revocation.stop_if_revoked)
    serve(reconciler.reconcile_all, redis, stop_requested, TICK_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
