"""Slack's limits, each just inside and just outside, with the reason of each error."""

from typing import Any, get_args

import pytest

from lab.slack.validate_message import Surface, find_problems

Block = dict[str, Any]


def section(length: int) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


def table(rows: int, columns: int = 1, text: str = "x") -> Block:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * columns] * rows}


def task(number: int = 1, status: str = "complete") -> Block:
    return {"type": "task_card", "task_id": str(number), "title": "t", "status": status}


def plan(*tasks: Block) -> Block:
    return {"type": "plan", "title": "p", "tasks": list(tasks)}


def words(length: int = 1, kind: str = "plain_text") -> Block:
    return {"type": kind, "text": "x" * length}


def button(value: int = 1, label: int = 1, action: str = "a", **more: Any) -> Block:
    return {"type": "button", "text": words(label), "value": "v" * value, "action_id": action, **more}


def many(number: int) -> list[Block]:
    return [button(action=str(n)) for n in range(number)]


def select(number: int, label: int = 1, value: int = 1, hint: int = 1) -> Block:
    options = [{"text": words(label), "value": "v" * value}] * number
    return {"type": "static_select", "action_id": "s", "placeholder": words(hint), "options": options}


def grouped(number: int) -> Block:
    return {"type": "static_select", "option_groups": [{"label": words(), "options": select(1)["options"]}] * number}


def input_block(label: int) -> Block:
    return {"type": "input", "label": words(label), "element": {"type": "plain_text_input"}}


def confirm(title: int = 1, text: int = 1, yes: int = 1, no: int = 1) -> Block:
    return {"title": words(title), "text": words(text), "confirm": words(yes), "deny": words(no)}


def rich(length: int = 1) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [words(length, "text")]}]}


def image(**more: Any) -> Block:
    return {"type": "image", "image_url": "https://x/y.png", "alt_text": "y", **more}


def data_table(rows: int, text: int = 1, page: int = 5, caption: str = "c") -> Block:
    cells = [[{"type": "raw_text", "text": "x" * text}]] * rows
    return {"type": "data_table", "caption": caption, "rows": cells, "page_size": page}


def container(*children: Block, title: int = 1) -> Block:
    return {"type": "container", "title": words(title), "child_blocks": list(children)}


def card(title: int = 1, body: int = 1, buttons: int = 0) -> Block:
    return {"type": "card", "title": words(title), "body": words(body), "actions": many(buttons)}


def markdown(length: int) -> Block:
    return {"type": "markdown", "text": "x" * length}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def fields(*lengths: int) -> Block:
    return {"type": "section", "fields": [words(length) for length in lengths]}


def cells(*row: Block) -> Block:
    return {"type": "table", "rows": [list(row)]}


def header(text: Block) -> Block:
    return {"type": "header", "text": text}


def context(*elements: Block) -> Block:
    return {"type": "context", "elements": list(elements)}


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        ([section(1)] * 50, [section(1)] * 51, "too many blocks"),
        ([section(3000)], [section(3001)], "a text of 1 to 3000"),
        ([section(1)], [section(0)], "a text of 1 to 3000"),
        ([section(1)], [{"type": "section"}], "needs text or fields"),
        ([fields(*[1] * 10)], [fields(*[1] * 11)], "too many fields"),
        ([fields(2000)], [fields(2001)], "a text of 1 to 2000"),
        ([{**section(1), "accessory": button()}], [{**section(1), "accessory": section(1)}], "unsupported element"),
        ([section(3000)] * 4 + [section(1200)], [section(3000)] * 4 + [section(1201)], "msg_blocks_too_long"),
        ([table(100)], [table(101)], "1 to 100 rows"),
        ([table(1)], [table(0)], "1 to 100 rows"),
        ([table(1, 20)], [table(1, 21)], "1 to 20 cells"),
        ([table(1, 1, "x")], [table(1, 1, "")], "an empty cell"),
        ([table(100, 10, "x" * 10)], [table(100, 10, "x" * 11)], "10,000 characters"),
        ([cells(rich(10_000))], [cells(rich(10_001))], "10,000 characters"),
        ([cells({"type": "raw_number", "value": 7})], [cells({"type": "number"})], "unsupported cell number"),
        ([table(1)], [table(1), table(1)], "only_one_table_allowed"),
        ([data_table(200, 100)], [data_table(200, 101)], "20,000 characters"),
        ([data_table(2)], [data_table(2), table(1)], "only_one_table_allowed"),
        ([data_table(2)], [data_table(1)], "2 to 201 rows"),
        ([data_table(201)], [data_table(202)], "2 to 201 rows"),
        ([data_table(2, caption="c")], [data_table(2, caption="")], "needs a caption"),
        ([data_table(2, page=100)], [data_table(2, page=101)], "page_size"),
        ([plan(task(1), task(2))], [plan(task(1), task(1))], "the same task_id twice"),
        ([plan(task(1))], [plan(), plan()], "more than 1 plan"),
        ([task(1), task(2)], [plan(task(1)), task(2)], "beside a plan"),
        ([plan()], [{**plan(), "title": ""}], "needs a title"),
        ([task(status="in_progress")], [task(status="completed")], "no such status: completed"),
        ([{**task(), "output": rich()}], [{**task(), "output": words()}], "output is one rich_text"),
        ([actions(*many(25))], [actions(*many(26))], "1 to 25 elements"),
        ([actions(button())], [actions()], "1 to 25 elements"),
        ([actions(*many(2))], [actions(button(), button())], "the same action_id twice"),
        ([actions({"type": "button", "text": words()})] * 2, [actions({"type": "button"})], "no text object"),
        ([actions(button(action="a" * 255))], [actions(button(action="a" * 256))], "action_id too long"),
        ([actions(button(value=2000))], [actions(button(value=2001))], "value too long"),
        ([actions(button(label=75))], [actions(button(label=76))], "a text of 1 to 75"),
        ([actions(button(text=words()))], [actions(button(text=words(1, "mrkdwn")))], "plain_text is wanted"),
        ([actions(button(style="danger"))], [actions(button(style="green"))], "unknown style"),
        (
            [actions(button(accessibility_label="x" * 75))],
            [actions(button(accessibility_label="x" * 76))],
            "accessibility_label too long",
        ),
        (
            [actions(button(confirm={**confirm(), "text": words(1, "mrkdwn")}))],
            [actions(button(confirm={**confirm(), "title": words(1, "mrkdwn")}))],
            "plain_text is wanted",
        ),
        ([actions(select(100))], [actions(select(101))], "1 to 100 options"),
        ([actions(select(1, label=75))], [actions(select(1, label=76))], "a text of 1 to 75"),
        ([actions(select(1, value=150))], [actions(select(1, value=151))], "value too long"),
        ([actions({**select(1), "type": "overflow"})], [actions({**select(6), "type": "overflow"})], "1 to 5 options"),
        ([actions({**select(5), "type": "overflow"})], [actions({**select(0), "type": "overflow"})], "1 to 5 options"),
        ([actions(grouped(100))], [actions(grouped(101))], "1 to 100 option_groups"),
        ([actions(select(1, hint=150))], [actions(select(1, hint=151))], "a text of 1 to 150"),
        ([actions(button(url="u" * 3000))], [actions(button(url="u" * 3001))], "url too long"),
        ([image(image_url="u" * 3000)], [image(image_url="u" * 3001)], "image_url too long"),
        ([input_block(2000)], [input_block(2001)], "a text of 1 to 2000"),
        ([actions(select(1))], [actions({"type": "knob"})], "unsupported element knob"),
        *(
            (
                [actions(button(confirm=confirm(**{part: most})))],
                [actions(button(confirm=confirm(**{part: most + 1})))],
                why,
            )
            for part, most, why in (
                ("title", 100, "confirm title: a text of 1 to 100"),
                ("text", 300, "confirm text: a text of 1 to 300"),
                ("yes", 30, "confirm confirm: a text of 1 to 30"),
                ("no", 30, "confirm deny: a text of 1 to 30"),
            )
        ),
        ([header(words(150))], [header(words(151))], "a text of 1 to 150"),
        ([header(words())], [header(words(1, "mrkdwn"))], "plain_text is wanted"),
        ([context(*[words()] * 10)], [context(*[words()] * 11)], "1 to 10 elements"),
        ([context(image(), words(1, "mrkdwn"))], [context(button())], "no text object"),
        ([image()], [{"type": "image", "alt_text": "y"}], "needs image_url"),
        ([image(alt_text="y" * 2000)], [image(alt_text="y" * 2001)], "an alt_text of 1 to 2000"),
        ([rich()], [{"type": "rich_text"}], "needs elements"),
        ([rich()], [{"type": "rich_text", "elements": [section(1)]}], "unsupported element of a rich_text"),
        ([markdown(6000)] * 2, [markdown(6000), markdown(6001)], "12,000 characters of markdown"),
        ([container(*[section(1)] * 10)], [container(*[section(1)] * 11)], "1 to 10 child_blocks"),
        ([container(table(1))], [container(container(section(1)))], "no container in a container"),
        (
            [{**container(section(1)), "is_collapsible": True, "default_collapsed": True}],
            [{**container(section(1)), "default_collapsed": True}],
            "default_collapsed needs is_collapsible",
        ),
        ([container(section(1), title=150)], [container(section(1), title=151)], "a text of 1 to 150"),
        ([card(title=150)], [card(title=151)], "a text of 1 to 150"),
        ([card(body=200)], [card(body=201)], "a text of 1 to 200"),
        ([card(buttons=2)], [card(buttons=3)], "2 buttons at most"),
        ([{"type": "data_visualization"}] * 2, [{"type": "data_visualization"}] * 3, "more than 2 data_visualization"),
        ([{**section(1), "block_id": "a"}], [{**section(1), "block_id": "a"}] * 2, "the same block_id twice"),
        ([{**section(1), "block_id": "a" * 255}], [{**section(1), "block_id": "a" * 256}], "block_id too long"),
        ([{"type": "divider"}], [{"type": "nonsense"}], "unsupported type nonsense"),
        ([{"type": "divider"}], ["divider"], "a block is an object"),
        ([{"type": "divider"}], {"type": "divider"}, "invalid_blocks_format"),
        ([section(1)], [{"type": "section", "text": {"type": "mrkdwn", "text": None}}], "no section has this shape"),
        ([plan(task())], [{**plan(), "tasks": "all"}], "no plan has this shape"),
    ],
)
def test_checks_each_limit_on_both_sides(good: list[Block], bad: Any, why: str) -> None:
    assert find_problems(good) == []
    assert [wrong for wrong in find_problems(bad) if why in wrong], find_problems(bad)


@pytest.mark.parametrize(
    ("block", "where"),
    [
        *((kind, "message modal home") for kind in (section(1), header(words()), context(words()), actions(button()))),
        *((kind, "message modal home") for kind in ({"type": "divider"}, image(), rich())),
        *((kind, "message") for kind in (table(1), data_table(2), plan(task()), task(), markdown(1))),
        *((kind, "message") for kind in (container(section(1)), {"type": "data_visualization"})),
        (card(), "message home"),
        ({"type": "alert", "text": words(200)}, "modal"),
        ({"type": "input", "label": words(), "element": {"type": "plain_text_input"}}, "message modal home"),
    ],
)
def test_checks_where_a_block_is_allowed(block: Block, where: str) -> None:
    refused = [f"invalid_blocks 0: unsupported type {block['type']}"]
    for surface in get_args(Surface):
        assert find_problems([block], surface) == ([] if surface in where.split() else refused)


@pytest.mark.parametrize("surface", ["modal", "home"])
def test_allows_more_blocks_in_a_view(surface: Surface) -> None:
    assert find_problems([section(1)] * 100, surface) == []
    assert find_problems([section(1)] * 101, surface) == ["invalid_blocks: too many blocks"]
    assert find_problems([section(3000)] * 9, surface) == [], "a message's whole size is not a view's"


def test_limits_the_text_of_an_alert() -> None:
    assert find_problems([{"type": "alert", "text": words(201)}], "modal") == [
        "invalid_blocks 0: a text of 1 to 200 characters"
    ]
