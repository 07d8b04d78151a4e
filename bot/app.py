"""The Slack app put together: settings and Redis in, a Bolt app out. No I/O of its own but one question to Slack."""

import time
from concurrent.futures import ThreadPoolExecutor

from redis import Redis
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler

from bot.desk import Desk
from bot.doctor import examine
from bot.inbox import Inbox
from bot.limit import Limit
from bot.listeners import register
from bot.people import People
from bot.reception import Reception
from bot.runs import Runs
from bot.settings import Settings
from imker import audit, signing
from imker.audit import Audit
from imker.config import ConfigError

AT_ONCE = 30  # listeners; Bolt's own five let the sixth command go unacknowledged


def build(settings: Settings, redis: "Redis") -> tuple[App, Reception]:
    """Raises SlackApiError when the bot token is not right, or Slack has been busy or broken for too long;
    ConfigError when the token is another workspace's."""
    token = settings.bot_token.get_secret_value()
    client = WebClient(token=token, base_url=settings.api_url)
    patient = [RateLimitErrorRetryHandler(max_retry_count=5), ServerErrorRetryHandler(max_retry_count=5)]
    told = WebClient(token=token, base_url=settings.api_url, retry_handlers=patient).auth_test()
    team = told["team_id"]
    if settings.team not in ("", team):
        raise ConfigError([f"[slack] team: SLACK_BOT_TOKEN is of workspace {team}, not of {settings.team}"])
    us = AuthorizeResult(
        enterprise_id=None, team_id=team, bot_user_id=told["user_id"], bot_id=told["bot_id"], bot_token=token
    )

    def authorized() -> AuthorizeResult:
        """Bolt's own would ask Slack again at the first command, and answer it wrongly if Slack is busy just then."""
        return us

    app = App(
        client=client,
        listener_executor=ThreadPoolExecutor(AT_ONCE),
        authorize=authorized,
        request_verification_enabled=False,  # bot.http has verified before; Socket Mode has no signatures
    )
    key = signing.load()
    runs, people = Runs(redis, time.time, key), People(client, settings.rights.groups)
    record = Audit(redis, audit.key())
    desk = Desk(settings, runs, people, team, record, lambda: examine(settings, redis, client, key))
    inbox, limit = Inbox(redis, key, time.time), Limit(settings.per_minute)
    reception = Reception(desk, inbox, client, limit, settings.api_url)
    register(app, reception)
    return app, reception
