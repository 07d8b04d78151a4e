"""`python -m bot`: takes commands and clicks over Socket Mode. Deaf, it ends, to be started again."""

import signal
import sys
import threading
import time
from typing import Any

from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackApiError

from bot import app, settings
from imker import broker, log
from imker.config import ConfigError

AT_ONCE, PING = 20, 5  # envelopes at once; seconds
DEAF = 60.0  # seconds without a pong after which a connection counts as deaf


def main() -> int:
    log.set_up()
    try:
        loaded = settings.load()
        redis = broker.connect(loaded.redis_url)
        bolt = app.build(loaded, redis)
    except (ConfigError, broker.NoRedis) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except SlackApiError as refused:
        return _refused(refused.response)
    token = loaded.app_token.get_secret_value()
    handler = SocketModeHandler(bolt, token, concurrency=AT_ONCE, ping_interval=PING)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    handler.connect()  # type: ignore[no-untyped-call]
    code = _watch(handler, over)
    handler.close()  # type: ignore[no-untyped-call]
    return code


def _refused(answer: Any) -> int:
    """What Slack answers with 200 is about the token; all else is Slack's own trouble, and another start may do."""
    if answer.status_code == 200:
        print(f"Slack refuses SLACK_BOT_TOKEN: {answer['error']}", file=sys.stderr)
        return 2
    print(f"Slack does not answer as it should (status {answer.status_code}); start the bot again", file=sys.stderr)
    return 1


def _watch(handler: SocketModeHandler, over: threading.Event) -> int:
    """0 when told to stop; 1 when no pong came for too long: the SDK itself does not notice if the first never came."""
    began = time.time()
    while not over.wait(1):
        session = handler.client.current_session
        heard = (session.last_ping_pong_time if session else None) or began
        if time.time() - max(heard, began) > DEAF:
            print("the Socket Mode connection is deaf; ending, to be started again", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
