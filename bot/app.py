"""Compose the Slack app: settings and Redis in, a Bolt app out. The only request to Slack is `auth.test`."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from redis import Redis
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler, ServerErrorRetryHandler
from slack_sdk.web import SlackResponse

from bot.handlers.commands import CommandHandler
from bot.handlers.forms import FormHandler
from bot.listeners import register
from bot.listeners.forms import FormListener
from bot.listeners.home import register_home
from bot.listeners.inbox import Inbox
from bot.listeners.rate_limit import RateLimiter
from bot.listeners.receiver import DeliveryReceiver
from bot.runs.store import RunStore
from bot.settings import Settings
from bot.slack import tls
from bot.slack.users import UserDirectory
from imker import audit_log, signing
from imker.audit_log import AuditLog
from imker.config import ConfigError
from imker.protocol.values import Finding
from imker.signing import SigningKey

LISTENER_THREADS = 30  # with Bolt's default of 5, a sixth command at the same time is not acknowledged
HANDLER_THREADS = 10  # of their own, so that no acknowledgement waits for them


def build(settings: Settings, redis: "Redis") -> tuple[App, DeliveryReceiver]:
    """Return the Bolt app and its receiver.

    Raise SlackApiError if the bot token is invalid or Slack stays unavailable, and ConfigError if the token belongs to
    another workspace.
    """
    token = settings.bot_token.get_secret_value()
    context = tls.context_for(settings.api_url)
    client = WebClient(token=token, base_url=settings.api_url, ssl=context)
    retry_handlers = [RateLimitErrorRetryHandler(max_retry_count=5), ServerErrorRetryHandler(max_retry_count=5)]
    auth = WebClient(token, settings.api_url, ssl=context, retry_handlers=retry_handlers).auth_test()
    team = auth["team_id"]
    if settings.team not in ("", team):
        raise ConfigError([f"[slack] team: SLACK_BOT_TOKEN belongs to workspace {team}, not to {settings.team}"])
    app = App(
        client=client,
        listener_executor=ThreadPoolExecutor(LISTENER_THREADS),
        authorize=_authorization(auth, token),
        request_verification_enabled=False,  # bot.listeners.http verifies signatures; Socket Mode has none
    )
    key = signing.load_signing_key()
    runs, users = RunStore(redis, time.time, key), UserDirectory(client, settings.rights.groups)
    log = AuditLog(redis, audit_log.read_audit_key())
    handler = CommandHandler(settings, runs, users, team, log, lambda: _run_checks(settings, redis, client, key))
    inbox, limit = Inbox(redis, key, time.time), RateLimiter(settings.per_minute)
    handling = ThreadPoolExecutor(HANDLER_THREADS, "handle")
    receiver = DeliveryReceiver(handler, inbox, client, limit, settings.api_url, handling.submit)
    forms = FormHandler(handler.access, handler.hosts, key, settings.reads == "private")
    register_home(app, runs, client)
    register(app, receiver, FormListener(receiver, handler, forms, client))
    return app, receiver


def _run_checks(settings: Settings, redis: "Redis", client: WebClient, key: SigningKey) -> tuple[Finding, ...]:
    from bot.doctor import run_checks  # with what it alone needs

    return run_checks(settings, redis, client, key)


def _authorization(auth: SlackResponse, token: str) -> Callable[[], AuthorizeResult]:
    """Return the known result to Bolt, which would ask Slack at the first command, and fail it if Slack is busy."""
    result = AuthorizeResult(
        enterprise_id=None,
        team_id=auth["team_id"],
        bot_user_id=auth["user_id"],
        bot_id=auth["bot_id"],
        bot_token=token,
    )
    return lambda: result
