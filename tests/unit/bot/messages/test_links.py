"""Run IDs become links, user IDs in tables mentions, and host names code, and nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.block_kit import SECTION_LIMIT, Message, context, ephemeral, section
from bot.messages.links import add_references, run_ids
from bot.messages.tables import Table, table_block
from lab.slack.validate_message import find_problems

RUN, OTHER = "k3fm9x2q".replace("9", "7"), "a2j2h6od"
LINK = "https://imker.slack.com/archives/C01OPS/p1700000000000001"
HOSTS = ("tondi", "lei-1", "kaditz", "swarm")


def text_of(message: Message) -> str:
    return str(message.blocks[0]["text"]["text"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"run `{RUN}` of `{OTHER}`", f"run <{LINK}|{RUN}> of `{OTHER}`"),
        (f"`/swarm retry {RUN}` and {RUN}", f"`/swarm retry {RUN}` and {RUN}"),
        ("tondi is Down; tondi, lei-1.", "`tondi` is Down; `tondi`, `lei-1`."),
        ("*Migrate tondi*  done", "*Migrate `tondi`*  done"),
        ("“Join” failed on tondi: rolled back", "“Join” failed on `tondi`: rolled back"),
        ("`/swarm migrate tondi` ```a tondi\n``` <https://x.org/tondi|tondi>", None),
        ("tondi.example.org, lei-10, tondis, /etc/tondi, a@tondi, tondi-1, tondi/x", None),
        ("it is in the swarm", None),
    ],
)
def test_adds_references_to_a_text(text: str, expected: str | None) -> None:
    message = add_references(ephemeral(text), {RUN: LINK}, HOSTS)
    assert text_of(message) == (text if expected is None else expected)
    assert not find_problems(list(message.blocks))


def test_keeps_commands_and_buttons() -> None:
    button = {"type": "button", "action_id": "x", "value": f"{RUN}:1", "text": {"type": "plain_text", "text": "tondi"}}
    blocks = ({"type": "actions", "elements": [button]}, context(f"run `{RUN}`"))
    referenced = add_references(Message("tondi", blocks), {RUN: LINK}, HOSTS)
    assert referenced.blocks[0] == blocks[0]
    assert referenced.blocks[1] == context(f"run <{LINK}|{RUN}>")
    assert referenced.text == "tondi", "a notification shows no marks"


def test_links_runs_and_mentions_users_in_a_table() -> None:
    table = table_block(Table(("USER", "RUN", "HOST"), (("U01ALICE", RUN, "tondi"), ("", OTHER, "U02BOB"))))
    message = Message("x", (table,))
    assert run_ids(message) == {RUN, OTHER}
    (block,) = add_references(message, {RUN: LINK}, HOSTS).blocks
    header, first, second = block["rows"]
    assert header == table["rows"][0]
    elements = [cell["elements"][0]["elements"][0] for cell in first[:2]]
    assert elements == [{"type": "user", "user_id": "U01ALICE"}, {"type": "link", "url": LINK, "text": RUN}]
    assert [cell["text"] for cell in (first[2], *second)] == ["tondi", " ", OTHER, "U02BOB"]
    assert not find_problems([block])


def test_finds_run_ids_in_code_only() -> None:
    assert run_ids(Message(f"`{RUN}`", (section(f"`{OTHER}` abcdefgh `/swarm x` `toolong77`"),))) == {RUN, OTHER}


def test_a_text_stays_short_enough_for_slack() -> None:
    text = " ".join([f"`{RUN}`"] * (SECTION_LIMIT // 11))
    message = add_references(ephemeral(text), {RUN: LINK}, HOSTS)
    assert not find_problems(list(message.blocks))
    assert text_of(message) == text


@given(st.text("tondi lei-1`*<>@|\n", max_size=60))
def test_changes_nothing_but_marks(text: str) -> None:
    """Whatever a host's text holds, only code marks are added."""
    marked = text_of(add_references(Message(text, (section(text),)), {}, HOSTS))
    assert marked.replace("`", "") == text.replace("`", "")
