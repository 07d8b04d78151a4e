"""Receive that a user opened the Home tab, and that the bot joined a channel.

The reconciler publishes the Home tab and posts the welcome.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import RedisError
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot.messages.views import home
from bot.runs.store import RunStore

log = structlog.get_logger()
Body = dict[str, Any]


def register_home(app: App, runs: RunStore, client: WebClient, clock: Callable[[], float] = time.time) -> None:
    """Register the events of the Home tab and of channels."""

    @app.event("app_home_opened")
    def on_home(event: Body) -> None:
        user = str(event.get("user") or "")
        if event.get("tab") != "home" or not user:
            return
        try:
            runs.home.open(user, clock())
            runs.notify("")
        except RedisError as error:
            log.warning("could not record a viewer of Home", error=str(error))
            _publish_unavailable(client, user)

    @app.event("member_joined_channel")
    def on_join(event: Body, context: Body) -> None:
        if event.get("user") != context.get("bot_user_id"):
            return
        try:
            runs.welcomes.request(str(event.get("channel") or ""))
            runs.notify("")
        except RedisError as error:
            log.warning("could not request a welcome", error=str(error))


def _publish_unavailable(client: WebClient, user: str) -> None:
    try:
        client.views_publish(user_id=user, view=home.unavailable())
    except (SlackClientError, OSError) as error:
        log.warning("could not publish Home", error=str(error))
