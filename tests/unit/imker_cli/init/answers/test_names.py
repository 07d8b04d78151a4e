"""Find channels, people, and hosts by name."""

import pytest

from imker_cli.init.answers.model import Account, AnswerError, Channel
from imker_cli.init.answers.names import find_accounts, find_channel, find_managers, suggest_managers

CHANNELS = (Channel("C01OPS", "ops", True), Channel("C02DEV", "dev", False))
ACCOUNTS = (
    Account("U01ALICE", ("alice", "alice.s", "Alice Schulz")),
    Account("U03OTHER", ("al", "Alice Schulz")),
    Account("U02BOB", ("bob",)),
    Account("S01OPS", ("ops", "Operations")),
)


@pytest.mark.parametrize("text", ["ops", "#ops", " #OPS ", "C01OPS"])
def test_finds_a_channel(text: str) -> None:
    assert find_channel(text, CHANNELS).id == "C01OPS"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("dev", "The bot is not in #dev: type `/invite @imker` in it"),
        ("secret", "no channel secret. If it is private, type `/invite @imker`"),
        ("", "Type the name of a channel"),
        ("#", "Type the name of a channel"),
    ],
)
def test_refuses_a_channel_that_the_bot_cannot_use(text: str, hint: str) -> None:
    with pytest.raises(AnswerError, match=hint):
        find_channel(text, CHANNELS)


@pytest.mark.parametrize(
    ("text", "accounts"),
    [
        ("alice", {"alice": "U01ALICE"}),
        ("@Bob, ops", {"bob": "U02BOB", "ops": "S01OPS"}),
        ("Operations,,alice.s", {"ops": "S01OPS", "alice": "U01ALICE"}),
        ("U03OTHER", {"al": "U03OTHER"}),
    ],
)
def test_finds_people_and_groups(text: str, accounts: dict[str, str]) -> None:
    assert find_accounts(text, ACCOUNTS) == accounts


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("alice, eve", "no member or user group eve"),
        ("Alice Schulz", r"U01ALICE \(alice, .*\), U03OTHER \(al, .*\)\. Type the ID"),
        (" , ", "at least one name"),
        ("*", "no member or user group"),
    ],
)
def test_refuses_names_that_are_not_one_account(text: str, hint: str) -> None:
    with pytest.raises(AnswerError, match=hint):
        find_accounts(text, ACCOUNTS)


def test_finds_managers() -> None:
    assert find_managers(" tondi, Kaditz tondi", ("kaditz", "lausen", "tondi")) == ("tondi", "kaditz")
    for text in ("", "tondi, x"):
        with pytest.raises(AnswerError, match="The hosts are kaditz, tondi"):
            find_managers(text, ("kaditz", "tondi"))


@pytest.mark.parametrize(
    ("hosts", "masters", "suggested"),
    [
        (("a",), (), ("a",)),
        (("b", "a"), (), ("a",)),
        (("d", "c", "b", "a"), ("c",), ("c", "a", "b")),
        (("a", "b", "c"), ("x",), ("a", "b", "c")),
    ],
)
def test_suggests_an_odd_number_of_managers(
    hosts: tuple[str, ...], masters: tuple[str, ...], suggested: tuple[str, ...]
) -> None:
    assert suggest_managers(hosts, masters) == suggested
