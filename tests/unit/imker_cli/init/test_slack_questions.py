"""Check the form of tokens, and the link that creates the app."""

import json
from importlib import resources
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from imker_cli.init.slack_questions import APP_TOKEN, BOT_TOKEN, find_token_problem, manifest_link


@pytest.mark.parametrize(
    ("name", "token", "problem"),
    [
        (BOT_TOKEN, "xoxb-1-a", ""),
        (APP_TOKEN, "xapp-1-a", ""),
        (BOT_TOKEN, "xapp-1-a", "This is the xapp-… token. Enter the one that starts with xoxb-"),
        (APP_TOKEN, "xoxb-1-a", "This is the xoxb-… token. Enter the one that starts with xapp-"),
        (BOT_TOKEN, "xoxp-1-a", "This is no such token"),
        (BOT_TOKEN, "", "This is no such token"),
        (BOT_TOKEN, "xoxb-1 #", "This is no such token"),
        (BOT_TOKEN, "xoxb-1\nA=2", "This is no such token"),
    ],
)
def test_says_what_is_wrong_with_a_token(name: str, token: str, problem: str) -> None:
    mistake = find_token_problem(name, token)
    assert mistake.startswith(problem)
    assert bool(mistake) == bool(problem)
    assert not token or token not in mistake


def test_the_link_has_the_whole_manifest() -> None:
    manifest = resources.files("bot").joinpath("manifest.yaml").read_text()
    link = urlsplit(manifest_link(manifest))
    assert (link.scheme, link.netloc, link.path) == ("https", "api.slack.com", "/apps")
    assert json.loads(parse_qs(link.query)["manifest_json"][0]) == yaml.safe_load(manifest)
