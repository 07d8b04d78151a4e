"""Check what the bot needs: tokens, channels, Redis, the other processes, and rights. Changes nothing.

In: settings, Redis, and a Slack client. Out: findings, each with a hint. `python -m bot doctor` prints them.
"""

import sys

from redis import Redis
from slack_sdk import WebClient

from bot import settings
from bot.doctor import processes, rights, slack
from bot.settings import Settings
from imker import audit_log, redis_connection, signing
from imker.config import ConfigError
from imker.doctor import configuration_findings, print_findings
from imker.protocol.values import Finding
from imker.protocol.version import ACCEPTANCE_RULES_KEY
from imker.secret_files import read_secret
from imker.signing import SigningKey


def run_checks(
    loaded: Settings, redis: "Redis", client: WebClient, key: SigningKey, *, is_started: bool = True
) -> tuple[Finding, ...]:
    """Run every check and return the findings. `is_started`: whether the other processes have to be running."""
    statuses = slack.classify_names(client, rights.named_users(loaded.rights))
    is_signing = audit_log.read_audit_key() is not None
    return (
        *slack.check(loaded, client),
        *processes.check(redis, is_external=loaded.redis_url is not None, is_signing=is_signing, is_started=is_started),
        *rights.check(loaded.rights, statuses),
        *rights.compare_acceptance_rules(loaded.rights, processes.read_key(redis, key, ACCEPTANCE_RULES_KEY)),
    )


def main(*, is_started: bool = True) -> int:
    """Print the findings and return the exit status: 1 if a check failed, 0 with or without warnings."""
    return print_findings(_all_findings(is_started))


def _all_findings(is_started: bool) -> tuple[Finding, ...]:
    """Run the checks with the bot's own configuration. A configuration or Redis that is unusable is a finding."""
    try:
        configuration = settings.load()
        client = WebClient(token=configuration.bot_token.get_secret_value(), base_url=configuration.api_url)
        redis = redis_connection.connect(configuration.redis_url)
        return run_checks(configuration, redis, client, signing.load_signing_key(), is_started=is_started)
    except ConfigError as error:
        return configuration_findings(error)
    except redis_connection.RedisUnavailable as error:
        server = "the server in REDIS_URL" if read_secret("REDIS_URL") else "the embedded Redis server"
        return (Finding("redis", "block", str(error), f"Check {server}. Imker cannot run without it."),)


if __name__ == "__main__":
    sys.exit(main())
