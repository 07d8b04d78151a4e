"""The Slack app put together: settings and Redis in, a Bolt app out. No I/O of its own but one question to Slack."""

import time
from concurrent.futures import ThreadPoolExecutor

from redis import Redis
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler

from bot.doctor import run_checks
from bot.handlers.commands import CommandHandler
from bot.listeners import register
from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack.users import UserDirectory
from imker import audit_log, signing
from imker.audit_log import AuditLog
from imker.config import ConfigError

LISTENER_THREADS = 30  # listeners; Bolt's own five let the sixth command go unacknowledged


def build(settings: Settings, redis: "Redis") -> tuple[App, DeliveryReceiver]:
    """Raises SlackApiError when the bot token is not right, or Slack has been busy or broken for too long;
    ConfigError when the token is another workspace's."""
    token = settings.bot_token.get_secret_value()
    client = WebClient(token=token, base_url=settings.api_url)
    patient = [RateLimitErrorRetryHandler(max_retry_count=5), ServerErrorRetryHandler(max_retry_count=5)]
    auth = WebClient(token=token, base_url=settings.api_url, retry_handlers=patient).auth_test()
    team = auth["team_id"]
    if settings.team not in ("", team):
        raise ConfigError([f"[slack] team: SLACK_BOT_TOKEN is of workspace {team}, not of {settings.team}"])
    us = AuthorizeResult(
        enterprise_id=None, team_id=team, bot_user_id=auth["user_id"], bot_id=auth["bot_id"], bot_token=token
    )

    def authorized() -> AuthorizeResult:
        """Bolt's own would ask Slack again at the first command, and answer it wrongly if Slack is busy just then."""
        return us

    app = App(
        client=client,
        listener_executor=ThreadPoolExecutor(LISTENER_THREADS),
        authorize=authorized,
        request_verification_enabled=False,  # bot.http has verified before; Socket Mode has no signatures
    )
    key = signing.load_signing_key()
    runs, people = RunStore(redis, time.time, key), UserDirectory(client, settings.rights.groups)
    record = AuditLog(redis, audit_log.read_audit_key())
    desk = CommandHandler(settings, runs, people, team, record, lambda: run_checks(settings, redis, client, key))
    inbox, limit = Inbox(redis, key, time.time), RateLimiter(settings.per_minute)
    reception = DeliveryReceiver(desk, inbox, client, limit, settings.api_url)
    register(app, reception)
    return app, reception
