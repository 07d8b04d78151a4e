"""What Slack says of the bot's tokens, scopes and channels, and of the people the configuration names."""

from collections.abc import Callable, Iterable
from importlib import resources
from typing import Any

import yaml
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.doctor.rights import Known
from bot.settings import Settings
from imker.protocol.values import Finding

OAUTH = "in the app's OAuth & Permissions, then install it again"
ARCHIVED = ("channel_archive", "group_archive")  # of a message: what somebody did to the channel
CHANNEL = {
    "not_in_channel": "Invite the bot there: /invite @imker",
    "channel_not_found": "Copy the ID from the channel's details; a private one is not found before the bot is in it.",
    "is_archived": "Take the channel out of [slack] channels, or bring it back.",
}


def check(loaded: Settings, client: WebClient) -> tuple[Finding, ...]:
    tokens = [_bot_token(client)]
    if loaded.app_token:
        tokens.append(_app_token(client, loaded.app_token.get_secret_value()))
    return (*tokens, *(_channel(client, channel) for channel in loaded.channels))


def classify_names(client: WebClient, names: Iterable[str]) -> dict[str, Known]:
    """What Slack knows of each user and group ID."""
    return {name: _group(client, name) if name.startswith("S") else _user(client, name) for name in names}


def required_scopes() -> frozenset[str]:
    manifest = yaml.safe_load(resources.files("bot").joinpath("manifest.yaml").read_text())
    return frozenset(manifest["oauth_config"]["scopes"]["bot"])


def check_scopes(granted: str | None) -> Finding:
    """`granted`: as Slack's header lists them, None if it does not."""
    if granted is None:
        return Finding("scopes", "warn", "Slack did not say which there are", "See them " + OAUTH.split(",")[0] + ".")
    missing = required_scopes() - set(granted.replace(" ", "").split(","))
    if missing:
        return Finding("scopes", "block", f"missing: {', '.join(sorted(missing))}", f"Add them {OAUTH}.")
    return Finding("scopes", "pass", "all that bot/manifest.yaml lists")


def _bot_token(client: WebClient) -> Finding:
    def check_token() -> Finding:
        answer = client.auth_test()
        scopes = check_scopes(next((v for k, v in answer.headers.items() if k.lower() == "x-oauth-scopes"), None))
        result = Finding("bot token", "pass", f"of {answer['user_id']} in {answer['team_id']}, {scopes.text}")
        return result if scopes.level == "pass" else scopes

    return _attempt("bot token", check_token, "Put the bot token (xoxb-…) of OAuth & Permissions into SLACK_BOT_TOKEN.")


def _app_token(client: WebClient, token: str) -> Finding:
    def check_token() -> Finding:
        client.apps_connections_open(app_token=token)
        return Finding("app token", "pass", "opens Socket Mode")

    return _attempt(
        "app token", check_token, "Make one with connections:write in Basic Information; it is SLACK_APP_TOKEN."
    )


def _channel(client: WebClient, channel: str) -> Finding:
    """By reading one message: that takes no scope that Imker would not have anyway.

    An archived channel may be read; that it was archived is the last that its history says.
    """
    try:
        last = client.conversations_history(channel=channel, limit=1)["messages"]
    except SlackApiError as slack_error:
        error = slack_error.response["error"]
        return Finding(f"channel {channel}", "block", error, CHANNEL.get(error, f"Slack's word for it is {error}."))
    except (SlackClientError, OSError) as network_error:
        return _no_response(f"channel {channel}", network_error)
    if last and last[0].get("subtype") in ARCHIVED:
        return Finding(f"channel {channel}", "block", "is_archived", CHANNEL["is_archived"])
    return Finding(f"channel {channel}", "pass", "the bot is in it")


def _user(client: WebClient, user: str) -> Known:
    try:
        profile: dict[str, Any] = client.users_info(user=user)["user"]
    except SlackApiError as error:
        return "unknown" if error.response["error"] == "user_not_found" else "untold"
    except (SlackClientError, OSError):
        return "untold"
    if profile.get("deleted"):
        return "deactivated"
    return "refused" if any(profile.get(kind) for kind in ("is_bot", "is_restricted", "is_stranger")) else "there"


def _group(client: WebClient, group: str) -> Known:
    try:
        return "there" if client.usergroups_users_list(usergroup=group)["users"] else "empty"
    except SlackApiError as error:
        return "unknown" if error.response["error"] in ("no_such_subteam", "subteam_not_found") else "untold"
    except (SlackClientError, OSError):
        return "untold"


def _attempt(check: str, ask: Callable[[], Finding], hint: str) -> Finding:
    try:
        return ask()
    except SlackApiError as slack_error:
        return Finding(check, "block", f"Slack refuses it: {slack_error.response['error']}", hint)
    except (SlackClientError, OSError) as network_error:
        return _no_response(check, network_error)


def _no_response(check: str, error: Exception) -> Finding:
    return Finding(check, "block", f"no answer from Slack ({type(error).__name__})", "See that slack.com is reachable.")
