"""Check the bot's tokens, scopes, and channels in Slack, and look up the users and groups in the configuration."""

from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPException
from importlib import resources

import yaml
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bot.auth.policy import Kind
from bot.doctor.rights import Known
from bot.settings import Settings
from bot.slack.errors import error_code
from bot.slack.users import classify, is_unknown_user
from imker.protocol.values import Finding

DIRECT_MESSAGE_SCOPES = ("im:history", "im:write")  # beyond the manifest, for [slack] notify = "dm"
SCOPES_PAGE = "in the app's OAuth & Permissions"
ARCHIVED = ("channel_archive", "group_archive")  # subtypes of the message that Slack posts when a channel is archived
CHANNEL_HINTS = {
    "not_in_channel": "Invite the bot to the channel: /invite @imker",
    "channel_not_found": "Copy the ID from the channel's details. Slack hides a private channel until the bot joins.",
    "is_archived": "Remove the channel from [slack] channels, or unarchive it.",
}
UNKNOWN_GROUP_ERRORS = ("no_such_subteam", "subteam_not_found")
STATUS_OF_KIND: dict[Kind, Known] = {
    "member": "ok",
    "guest": "refused",
    "bot": "refused",
    "external": "refused",
    "deactivated": "deactivated",
    "unknown": "unknown",
}


def check(loaded: Settings, client: WebClient) -> tuple[Finding, ...]:
    """Return a finding for each token and each configured channel."""
    tokens = [check_bot_token(client)]
    if loaded.app_token:
        tokens.append(check_app_token(client, loaded.app_token.get_secret_value()))
    if loaded.notify == "dm":
        tokens.append(_direct_messages(client))
    return (*tokens, *(_channel(client, channel) for channel in loaded.channels))


def classify_names(client: WebClient, names: Iterable[str]) -> dict[str, Known]:
    """Return the status of each user ID and user group ID."""
    team = _team(client)
    return {name: _group(client, name) if name.startswith("S") else _user(client, name, team) for name in names}


def required_scopes() -> frozenset[str]:
    """Return the bot scopes that the app manifest lists."""
    manifest = yaml.safe_load(resources.files("bot").joinpath("manifest.yaml").read_text())
    return frozenset(manifest["oauth_config"]["scopes"]["bot"])


def check_scopes(granted: str | None) -> Finding:
    """Compare the granted scopes with the manifest. `granted`: Slack's X-OAuth-Scopes header, None if it is missing."""
    if granted is None:
        return Finding("scopes", "warn", "Slack did not list the granted scopes", f"Check them {SCOPES_PAGE}.")
    missing = required_scopes() - set(granted.replace(" ", "").split(","))
    if missing:
        hint = f"Add them {SCOPES_PAGE}, then reinstall the app."
        return Finding("scopes", "block", f"missing: {', '.join(sorted(missing))}", hint)
    return Finding("scopes", "pass", "all scopes of bot/manifest.yaml are granted")


def check_direct_message_scopes(granted: str | None) -> Finding:
    """Check the scopes that alerts need as direct messages. `granted`: as in `check_scopes`."""
    missing = set(DIRECT_MESSAGE_SCOPES) - set((granted or "").replace(" ", "").split(","))
    if granted is None:
        return Finding("direct messages", "warn", "Slack did not list the granted scopes", f"Check them {SCOPES_PAGE}.")
    if not missing:
        return Finding("direct messages", "pass", "the scopes for alerts as direct messages are granted")
    text = f'[slack] notify is "dm", and scopes are missing: {", ".join(sorted(missing))}. Alerts go to the channel'
    return Finding("direct messages", "warn", text, f"Add them {SCOPES_PAGE}, then reinstall the app.")


def _direct_messages(client: WebClient) -> Finding:
    hint = f"Check the scopes {SCOPES_PAGE}."
    return _attempt("direct messages", lambda: check_direct_message_scopes(_granted(client.auth_test())), hint)


def _granted(auth: SlackResponse) -> str | None:
    """Return the scopes that Slack lists in a header, None if it lists none."""
    return next((str(value) for name, value in auth.headers.items() if name.lower() == "x-oauth-scopes"), None)


def check_bot_token(client: WebClient) -> Finding:
    """Check the bot token of the client, and its scopes."""

    def check_token() -> Finding:
        auth = client.auth_test()
        scopes = check_scopes(_granted(auth))
        text = f"belongs to {auth['user_id']} in workspace {auth['team_id']}; {scopes.text}"
        return Finding("bot token", "pass", text) if scopes.level == "pass" else scopes

    hint = f"Set SLACK_BOT_TOKEN to the bot token (xoxb-…) {SCOPES_PAGE}."
    return _attempt("bot token", check_token, hint)


def check_app_token(client: WebClient, token: str) -> Finding:
    """Check that the app-level token opens Socket Mode connections."""

    def check_token() -> Finding:
        client.apps_connections_open(app_token=token)
        return Finding("app token", "pass", "can open Socket Mode connections")

    hint = "Create a token with the scope connections:write in Basic Information, and set SLACK_APP_TOKEN to it."
    return _attempt("app token", check_token, hint)


def _channel(client: WebClient, channel: str) -> Finding:
    """Read one message of the channel, which needs no additional scope.

    Slack lets the bot read an archived channel; the last message then says that it was archived.
    """
    finding = partial(Finding, f"channel {channel}")
    try:
        newest = client.conversations_history(channel=channel, limit=1)["messages"]
    except SlackApiError as slack_error:
        code = error_code(slack_error)
        return finding("block", code, CHANNEL_HINTS.get(code, f"Slack returned the error {code}."))
    except (SlackClientError, OSError, HTTPException) as network_error:
        return _no_response(f"channel {channel}", network_error)
    if newest and newest[0].get("subtype") in ARCHIVED:
        return finding("block", "is_archived", CHANNEL_HINTS["is_archived"])
    return finding("pass", "the bot is a member")


def _team(client: WebClient) -> str:
    """Return the bot's workspace ID, "" if Slack does not say; every user then counts as unknown."""
    try:
        return str(client.auth_test()["team_id"])
    except (SlackClientError, OSError, HTTPException):
        return ""


def _user(client: WebClient, user: str, team: str) -> Known:
    try:
        profile = client.users_info(user=user)["user"]
    except (SlackClientError, OSError, HTTPException) as error:
        return "not_found" if is_unknown_user(error) else "unknown"
    return STATUS_OF_KIND[classify(user, profile, team)] if team else "unknown"


def _group(client: WebClient, group: str) -> Known:
    try:
        return "ok" if client.usergroups_users_list(usergroup=group)["users"] else "empty"
    except (SlackClientError, OSError, HTTPException) as error:
        return "not_found" if error_code(error) in UNKNOWN_GROUP_ERRORS else "unknown"


def _attempt(check: str, request: Callable[[], Finding], hint: str) -> Finding:
    try:
        return request()
    except SlackApiError as slack_error:
        return Finding(check, "block", f"Slack rejected it: {error_code(slack_error)}", hint)
    except (SlackClientError, OSError, HTTPException) as network_error:
        return _no_response(check, network_error)


def _no_response(check: str, error: Exception) -> Finding:
    hint = "Check that this machine can reach slack.com."
    return Finding(check, "block", f"Slack did not respond ({type(error).__name__})", hint)
