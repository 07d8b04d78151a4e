"""Ask for the tokens, the channel, and the people, and check each answer with Slack."""

import json
import re
from collections.abc import Callable, Mapping
from http.client import HTTPException
from importlib import resources
from urllib.parse import urlencode

import yaml
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.doctor.slack import check_app_token, check_bot_token
from bot.slack import tls
from imker.protocol.values import Finding
from imker_cli.init import slack_directory
from imker_cli.init.answers import names
from imker_cli.init.answers.model import Account, AnswerError, SlackAnswers
from imker_cli.init.terminal import Terminal, parse_yes

BOT_TOKEN, APP_TOKEN = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"
PREFIXES = {BOT_TOKEN: "xoxb-", APP_TOKEN: "xapp-"}
PLACES = {BOT_TOKEN: "OAuth & Permissions", APP_TOKEN: "Basic Information, App-Level Tokens"}
SLACK_ERRORS = (SlackClientError, OSError, HTTPException)
MAX_SHOWN_NAMES = 20
STEPS = """\
Open this link, which has the manifest above filled in; choose the workspace, create the app, and install it:

{link}

In the app's settings, copy the bot token (OAuth & Permissions), and create an app-level token with the scope
connections:write (Basic Information). In Slack, type `/invite @imker` in the channel where you want to use Imker.
"""


def ask_tokens(terminal: Terminal, present: Mapping[str, str], api_url: str) -> dict[str, str]:
    """Return both tokens, checked with Slack. `present`: those that are set already, which are not asked for."""
    if not present.get(BOT_TOKEN):
        _show_manifest(terminal)
    bot_token = _token(terminal, BOT_TOKEN, present, lambda token: check_bot_token(connect(token, api_url)))
    client = connect(bot_token, api_url)
    app_token = _token(terminal, APP_TOKEN, present, lambda token: check_app_token(client, token))
    return {BOT_TOKEN: bot_token, APP_TOKEN: app_token}


def ask_slack(terminal: Terminal, client: WebClient) -> SlackAnswers:
    """Ask for the channel and for who may do what."""
    team = str(client.auth_test()["team_id"])
    channels = slack_directory.list_channels(client)
    joined = [channel.name for channel in channels if channel.has_bot]
    question = "Channel in which Imker accepts commands"
    if len(joined) > 1:
        terminal.say(f"The bot is in {', '.join(f'#{name}' for name in joined)}.")
    suggested = joined[0] if len(joined) == 1 else ""
    # Each answer asks Slack again: the bot may have been invited meanwhile.
    channel = terminal.ask(
        question, lambda text: names.find_channel(text, slack_directory.list_channels(client)), suggested
    )
    accounts = slack_directory.list_accounts(client, team)
    terminal.say(f"In #{channel.name}: {_list_names(accounts, slack_directory.list_joined(client, channel.id))}.")
    change = terminal.ask(
        "Who may change hosts (names or user groups)", lambda text: names.find_accounts(text, accounts)
    )
    accept, accept_own = _ask_accept(terminal, accounts, change)
    return SlackAnswers(team, channel.id, channel.name, change, accept, accept_own)


def connect(token: str, api_url: str) -> WebClient:
    """Return a client of Slack's Web API that waits when Slack limits the rate of requests."""
    client = WebClient(token=token, base_url=api_url, ssl=tls.context_for(api_url))
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    return client


def manifest_link(manifest: str) -> str:
    """Return the address at which Slack creates an app from this manifest."""
    compact = json.dumps(yaml.safe_load(manifest), separators=(",", ":"))
    return f"https://api.slack.com/apps?{urlencode({'new_app': 1, 'manifest_json': compact})}"


def _show_manifest(terminal: Terminal) -> None:
    manifest = resources.files("bot").joinpath("manifest.yaml").read_text()
    terminal.say(manifest)
    terminal.say(STEPS.format(link=manifest_link(manifest)))


def _token(terminal: Terminal, name: str, present: Mapping[str, str], check: Callable[[str], Finding]) -> str:
    """Return the token that is set, or ask for one. One that is set and refused is an error to act on."""

    def parse(token: str) -> str:
        problem = find_token_problem(name, token)
        if problem:
            raise AnswerError(problem)
        finding = check(token)
        if finding.level == "block":
            raise AnswerError(f"{finding.check}: {finding.text}. {finding.hint}")
        terminal.say(f"  {finding.check}: {finding.text}")
        return token

    if present.get(name):
        return parse(present[name])
    kind = "Bot token" if name == BOT_TOKEN else "App-level token"
    return terminal.ask(f"{kind} ({PREFIXES[name]}…; hidden)", parse, is_hidden=True)


def find_token_problem(name: str, token: str) -> str:
    """Return what is wrong with the form of a token, "" if nothing is."""
    if re.fullmatch(rf"{PREFIXES[name]}[\w.-]+", token, re.ASCII):
        return ""
    kinds = {prefix: PLACES[other] for other, prefix in PREFIXES.items() if other != name}
    other = next((prefix for prefix in kinds if token.startswith(prefix)), "")
    mistake = f"This is the {other}… token." if other else "This is no such token."
    return f"{mistake} Enter the one that starts with {PREFIXES[name]}: it is in {PLACES[name]}."


def _list_names(accounts: tuple[Account, ...], joined: frozenset[str]) -> str:
    """Return the names of a channel's members, and of all user groups."""
    people = [account.name for account in accounts if account.id in joined]
    more = f", and {len(people) - MAX_SHOWN_NAMES} more" if len(people) > MAX_SHOWN_NAMES else ""
    groups = [account.name for account in accounts if account.id.startswith("S")][:MAX_SHOWN_NAMES]
    text = ", ".join(people[:MAX_SHOWN_NAMES]) + more
    return f"{text}; user groups: {', '.join(groups)}" if groups else text


def _ask_accept(
    terminal: Terminal, accounts: tuple[Account, ...], change: Mapping[str, str]
) -> tuple[dict[str, str], bool]:
    """Ask who may accept managers. Return it, and whether people may accept what they requested themselves.

    If only one person has both rights, no manager could join without that.
    """
    accept = terminal.ask("Who may accept managers", lambda text: names.find_accounts(text, accounts))
    (name, account), *others = accept.items()
    if others or account.startswith("S") or set(change.values()) != {account}:
        return accept, False
    question = f"Only {name} may do both. May {name} accept own requests (each is announced in the channel)"
    if terminal.ask(question, parse_yes, "yes"):
        return accept, True
    terminal.say("  Then no manager could join. Name another person.")
    return _ask_accept(terminal, accounts, change)
