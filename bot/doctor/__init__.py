"""What the bot needs, looked at: its tokens, its channels, Redis, the other processes, the rights. Changes nothing.

In: settings, Redis and a Slack client. Out: Findings, each with what to do. `python -m bot doctor` prints them.
"""

import os
import sys

from redis import Redis
from slack_sdk import WebClient

from bot import settings
from bot.doctor import processes, rights, slack
from bot.settings import Settings
from imker import audit, broker, signing
from imker.config import ConfigError
from imker.signing import Key
from jobs.contract import ACCEPTING, Finding


def examine(loaded: Settings, redis: "Redis", client: WebClient, key: Key) -> tuple[Finding, ...]:
    named = rights.named(loaded.rights)
    people = slack.people(client, named)
    return (
        *slack.look(loaded, client),
        *processes.look(redis, own=loaded.redis_url is not None, signs=audit.key() is not None),
        *rights.look(loaded.rights, people),
        *rights.compared(loaded.rights, processes.told(redis, key, ACCEPTING)),
    )


def main() -> int:
    """0 when nothing fails, warnings or not."""
    try:
        loaded = settings.load()
        client = WebClient(token=loaded.bot_token.get_secret_value(), base_url=loaded.api_url)
        found = examine(loaded, broker.connect(loaded.redis_url), client, signing.load())
    except ConfigError as wrong:
        found = tuple(
            Finding("configuration", "block", line, "Mend it; the README shows each key.") for line in wrong.lines
        )
    except broker.NoRedis as away:
        where = "REDIS_URL" if os.environ.get("REDIS_URL") else "the embedded Redis"
        found = (Finding("redis", "block", str(away), f"Without {where} nothing can be asked or done."),)
    for finding in found:
        print(finding.line)
    return int(any(finding.level == "block" for finding in found))


if __name__ == "__main__":
    sys.exit(main())
