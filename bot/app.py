"""The Slack app put together: settings and Redis in, a Bolt app out. No I/O of its own but one question to Slack."""

import time
from concurrent.futures import ThreadPoolExecutor

from redis import Redis
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler

from bot.listeners import Desk, register
from bot.people import People
from bot.runs import Runs
from bot.settings import Settings

AT_ONCE = 30  # listeners; Bolt's own five let the sixth command go unacknowledged


def build(settings: Settings, redis: "Redis") -> App:
    """Raises SlackApiError when the bot token is not right, or Slack has been busy or broken for too long."""
    token = settings.bot_token.get_secret_value()
    client = WebClient(token=token, base_url=settings.api_url)
    patient = [RateLimitErrorRetryHandler(max_retry_count=5), ServerErrorRetryHandler(max_retry_count=5)]
    team = WebClient(token=token, base_url=settings.api_url, retry_handlers=patient).auth_test()["team_id"]
    app = App(client=client, listener_executor=ThreadPoolExecutor(AT_ONCE), token_verification_enabled=False)
    rights = settings.rights
    named = (*rights.read, *rights.change, *rights.accept)
    groups = tuple(dict.fromkeys(who for who in named if who.startswith("S")))
    register(app, Desk(settings, Runs(redis, time.time), People(client, groups), team))
    return app
