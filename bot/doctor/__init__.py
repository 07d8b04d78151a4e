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
from imker import audit_log, redis_connection, signing
from imker.config import ConfigError
from imker.doctor import configuration_findings, print_findings
from imker.protocol.values import Finding
from imker.protocol.version import ACCEPTANCE_RULES_KEY
from imker.signing import SigningKey


def run_checks(loaded: Settings, redis: "Redis", client: WebClient, key: SigningKey) -> tuple[Finding, ...]:
    names = rights.named_users(loaded.rights)
    people = slack.classify_names(client, names)
    return (
        *slack.check(loaded, client),
        *processes.check(redis, is_embedded=loaded.redis_url is not None, signs=audit_log.read_audit_key() is not None),
        *rights.check(loaded.rights, people),
        *rights.compare_acceptance_rules(loaded.rights, processes.read_key(redis, key, ACCEPTANCE_RULES_KEY)),
    )


def main() -> int:
    """Run the checks and print them. Return the exit status: 1 if a check failed, else 0."""
    try:
        configuration = settings.load()
        client = WebClient(token=configuration.bot_token.get_secret_value(), base_url=configuration.api_url)
        findings = run_checks(
            configuration, redis_connection.connect(configuration.redis_url), client, signing.load_signing_key()
        )
    except ConfigError as error:
        findings = configuration_findings(error)
    except redis_connection.RedisUnavailable as redis_error:
        server = "REDIS_URL" if os.environ.get("REDIS_URL") else "the embedded Redis"
        findings = (Finding("redis", "block", str(redis_error), f"Without {server} nothing can be asked or done."),)
    return print_findings(findings)


if __name__ == "__main__":
    sys.exit(main())
