"""The Slack app put together: settings and Redis in, a Bolt app out. No I/O of its own but one question to Slack."""

import time
from concurrent.futures import ThreadPoolExecutor

from redis import Redis
from slack_bolt import App
from slack_sdk import WebClient

from bot.doctor import examine
from bot.listeners import Desk, register
from bot.people import People
from bot.runs import Runs
from bot.settings import Settings
from imker import audit, signing
from imker.audit import Audit
from imker.config import ConfigError

AT_ONCE = 30  # listeners; Bolt's own five let the sixth command go unacknowledged


def build(settings: Settings, redis: "Redis") -> App:
    """Raises SlackApiError when the bot token is not right, ConfigError when it is another workspace's."""
    client = WebClient(token=settings.bot_token.get_secret_value(), base_url=settings.api_url)
    team = client.auth_test()["team_id"]
    app = App(
        client=client,
        listener_executor=ThreadPoolExecutor(AT_ONCE),
        token_verification_enabled=False,
        request_verification_enabled=False,  # bot.http has verified before; Socket Mode has no signatures
    )
    if settings.team not in ("", team):
        raise ConfigError([f"[slack] team: SLACK_BOT_TOKEN is of workspace {team}, not of {settings.team}"])
    runs, people = Runs(redis, time.time, signing.load()), People(client, settings.rights.groups)
    record = Audit(redis, audit.key())
    register(app, Desk(settings, runs, people, team, record, lambda: examine(settings, redis, client)))
    return app
