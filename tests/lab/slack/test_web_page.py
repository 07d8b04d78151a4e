"""The web page in a real browser: input reaches an app, and messages are shown to the right users."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient

from bot.messages.runs import run_message
from bot.records import RunRecord
from bot.state.run_state import RunState, fold
from imker.protocol.commands import Migrate
from imker.protocol.event_log import EventLog
from imker.protocol.events import Event, JobFinished, JobStarted, Planned, StepDone, StepStarted
from imker.protocol.values import Finding, StepLine
from lab.browser import Page
from lab.slack.client import Workspace
from lab.slack.validate_message import BLOCK_TYPES
from tests.support.bolt_app import actions, button, run_app, wait_until, web_client

pytestmark = [pytest.mark.processes, pytest.mark.browser]
OPS = "C01OPS"


@pytest.fixture
def app(slack: Workspace) -> WebClient:
    return web_client(slack)


@pytest.fixture(autouse=True)
def _as_alice(slack: Workspace, request: pytest.FixtureRequest) -> Iterator[None]:
    """Act as Alice on a desktop screen, without faults."""
    page: Page = request.getfixturevalue("page")
    page.call("Emulation.clearDeviceMetricsOverride")
    page.wait("document.querySelectorAll('#user option').length > 3")
    page.act_as("U01ALICE")
    yield
    slack.clear_faults()


def article(ts: str) -> str:
    """Return the JavaScript expression of the element of a message."""
    return f"[...document.querySelectorAll('main > article')].find((one) => one.dataset.ts === '{ts}')"


def finished_migration() -> RunState:
    """Return the run of a migration with eight steps of a second each and 31 checks that passed, two with a note."""
    steps = tuple(StepLine(f"s{number}", f"Step {number}", "its detail") for number in range(8))
    checks = tuple(Finding(f"check {number}", "pass", "fine") for number in range(29))
    restart = Finding(
        "restart policies", "pass", "containers without one: batch", "To survive a reboot, they need one."
    )
    group = Finding("docker group", "pass", "geschke is not in the docker group", "To add the user, type `/swarm`.")
    bodies = [JobStarted("tondi"), Planned(steps, (*checks, restart, group))]
    each = [body for step in steps for body in (StepStarted(step.key), StepDone(step.key, "its note"))]
    end = JobFinished("done", "tondi joined the swarm.")
    events = tuple(Event("k3fm9x2q", 1, n, float(n), body) for n, body in enumerate([*bodies, *each, end], 1))
    record = RunRecord("k3fm9x2q", Migrate("tondi"), "migrate tondi", "U01ALICE", OPS, 1.0)
    return fold(record, EventLog(events), "finished", 60.0)


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


# --- input that reaches the app --------------------------------------------------------------------


def test_sends_a_typed_command(page: Page, slack: Workspace) -> None:
    with run_app(slack) as received:
        page.type("/swarm nodes")
        wait_until(lambda: ("command", "U01ALICE", "nodes") in received.events)
        page.wait("document.getElementById('text').value === ''")


def test_presses_a_button_with_the_keyboard(page: Page, slack: Workspace, app: WebClient) -> None:
    row = [actions(button("Accept", "run.accept", "x:1"))]
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=row)["ts"]
    page.wait(f"{article(ts)}?.querySelector('.actions button')")
    with run_app(slack) as received:
        page.js(f"{article(ts)}.querySelector('.actions button').focus()")
        page.key("Enter", 13, "\r")
        wait_until(lambda: ("run.accept", "U01ALICE", "x:1") in received.events)


DIALOG = {
    "title": {"type": "plain_text", "text": "Reject?"},
    "text": {"type": "plain_text", "text": "kaditz stays a worker."},
    "confirm": {"type": "plain_text", "text": "Reject"},
    "deny": {"type": "plain_text", "text": "Not now"},
}


def test_shows_a_dialog_and_sends_the_press_when_it_is_confirmed(page: Page, slack: Workspace, app: WebClient) -> None:
    described = {"confirm": DIALOG, "accessibility_label": "Reject kaditz as manager"}
    row = [actions({**button("Reject", "run.accept", "dialog:1"), **described})]
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=row)["ts"]
    page.wait(f"{article(ts)}?.querySelector('.actions button')")
    assert page.js(f"{article(ts)}.querySelector('.actions button').ariaLabel") == "Reject kaditz as manager"
    with run_app(slack) as received:
        pressed = ("run.accept", "U01ALICE", "dialog:1")
        for answer, sent in (("Not now", False), ("Reject", True)):
            page.js(f"{article(ts)}.querySelector('.actions button').focus()")
            page.key("Enter", 13, "\r")
            page.wait("document.querySelector('dialog[open]')?.innerText.includes('kaditz stays a worker.')")
            page.js(
                f"[...document.querySelectorAll('dialog[open] button')].find((b) => b.innerText === '{answer}').click()"
            )
            page.wait("!document.querySelector('dialog[open]')")
            if sent:
                wait_until(lambda: pressed in received.events)
            assert (pressed in received.events) is sent


def test_closing_a_dialog_with_escape_sends_nothing(page: Page, slack: Workspace, app: WebClient) -> None:
    ts = app.chat_postMessage(
        channel=OPS, text="x", blocks=[actions({**button("Reject", "run.accept", "esc:1"), "confirm": DIALOG})]
    )["ts"]
    page.wait(f"{article(ts)}?.querySelector('.actions button')")
    before = len(slack.calls())
    page.js(f"{article(ts)}.querySelector('.actions button').click()")
    page.wait("document.querySelector('dialog[open]')")
    page.key("Escape", 27)
    page.wait("!document.querySelector('dialog[open]')")
    assert len(slack.calls()) == before
    assert "did not respond" not in page.js(f"{article(ts)}.innerText")


def test_chooses_an_item_of_a_menu(page: Page, slack: Workspace, app: WebClient) -> None:
    options = [{"text": {"type": "plain_text", "text": each}, "value": f"m:1:{each}"} for each in ("Pause", "Details")]
    menu = {"type": "overflow", "action_id": "run.more", "options": options, "confirm": DIALOG}
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[{**section("a run"), "accessory": menu}])["ts"]
    page.wait(f"{article(ts)}?.querySelector('details.more')")
    with run_app(slack) as received:
        page.js(f"{article(ts)}.querySelector('details.more summary').click()")
        page.js(f"[...{article(ts)}.querySelectorAll('.more button')].find((b) => b.innerText === 'Details').click()")
        page.wait("document.querySelector('dialog[open]')")
        page.js("[...document.querySelectorAll('dialog[open] button')].find((b) => b.innerText === 'Reject').click()")
        wait_until(lambda: ("run.more", "U01ALICE", "m:1:Details") in received.events)
    assert not page.js(f"{article(ts)}.querySelector('details.more').open")


@pytest.mark.parametrize(
    ("command", "expected_text"),
    [
        ("/swarm nodes", "/swarm: the app did not respond."),
        ("/swarms nodes", "That is not a valid command."),
    ],
)
def test_shows_an_error_for_input_that_has_no_effect(page: Page, command: str, expected_text: str) -> None:
    page.type(command)
    page.wait(f"document.querySelector('article.private:last-child')?.innerText.includes('{expected_text}')")
    page.act_as("U02BOB")
    page.wait(f"!document.body.innerText.includes('{expected_text}')")


def test_shows_an_error_for_an_unanswered_and_for_a_removed_button(
    page: Page, slack: Workspace, app: WebClient
) -> None:
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[actions(button("Accept", "run.accept"))])["ts"]
    page.wait(f"{article(ts)}?.querySelector('.actions button')")
    page.js(f"window.kept = {article(ts)}.querySelector('.actions button'); kept.click()")
    page.wait("document.body.innerText.includes('“Accept”: the app did not respond.')")
    app.chat_delete(channel=OPS, ts=ts)
    page.wait(f"!({article(ts)})")
    page.js("kept.click()")
    page.wait("document.body.innerText.includes('This message was deleted.')")


# --- rendering -------------------------------------------------------------------------------------------------


def test_edits_a_message_in_place(page: Page, app: WebClient) -> None:
    task = {"type": "task_card", "task_id": "1", "title": "Join the swarm", "status": "in_progress"}
    plan = [{"type": "plan", "block_id": "plan", "title": "0 of 1 steps", "tasks": [task]}]
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=plan)["ts"]
    page.wait(f"{article(ts)}?.querySelectorAll('.task.in_progress').length === 1")
    task["status"] = "complete"
    app.chat_update(channel=OPS, ts=ts, text="x", blocks=plan)
    page.wait(f"{article(ts)}.querySelectorAll('.task.complete').length === 1")
    assert page.js(f"{article(ts)}.querySelectorAll('.task.in_progress').length") == 0
    assert "(edited)" in page.js(f"{article(ts)}.innerText")


def test_a_container_is_collapsed_and_stays_as_the_user_left_it(page: Page, app: WebClient) -> None:
    container = {
        "type": "container", "block_id": "done_steps", "title": {"type": "plain_text", "text": "1 of 2 steps done"},
        "child_blocks": [section("✓ Drain the node")], "is_collapsible": True, "default_collapsed": True,
    }  # fmt: skip
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[container])["ts"]
    page.wait(f"{article(ts)}?.querySelector('details.plan')")
    assert not page.js(f"{article(ts)}.querySelector('details.plan').open")
    page.js(f"{article(ts)}.querySelector('details.plan summary').click()")
    page.wait(f"{article(ts)}.innerText.includes('Drain the node')")
    title = {"type": "plain_text", "text": "2 of 2 steps done"}
    app.chat_update(channel=OPS, ts=ts, text="x", blocks=[{**container, "title": title}])
    page.wait(f"{article(ts)}.innerText.includes('2 of 2 steps done')")
    assert page.js(f"{article(ts)}.querySelector('details.plan').open")


@pytest.mark.parametrize("width", [1200, 390])
def test_a_finished_migration_has_ten_lines_at_most(page: Page, app: WebClient, width: int) -> None:
    """Count the lines of the message on the page, with the bot's name above it."""
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 400)
    message = run_message.render(finished_migration())
    ts = app.chat_postMessage(channel=OPS, text=message.text, blocks=list(message.blocks))["ts"]
    page.wait(f"{article(ts)}?.innerText.includes('tondi joined the swarm in 8 s')")
    assert page.js(f"{article(ts)}.querySelector('.body').innerText.split('\\n').filter(Boolean).length") <= 10
    assert page.js(f"{article(ts)}.querySelector('.body').getBoundingClientRect().height") <= 10 * 30


def test_shows_times_without_seconds_where_the_message_says_so(page: Page) -> None:
    text = "<!date^0^{time}|x> <!date^0^{time_secs}|x>"
    visible_text = page.js(f"import('/static/text.js').then((text) => text.mrkdwn('{text}').innerText)")
    assert visible_text.count(":") == 1 + 2


def test_shows_a_thread_with_files_and_reactions(page: Page, app: WebClient) -> None:
    ts = app.chat_postMessage(channel=OPS, text="the fleet")["ts"]
    reply = app.chat_postMessage(channel=OPS, text="words *alone*", thread_ts=ts)["ts"]
    app.files_upload_v2(channel=OPS, content="# Migration of the fleet", filename="imker-x.md", thread_ts=ts)
    app.chat_postEphemeral(channel=OPS, user="U01ALICE", text="a word in private", thread_ts=ts)
    page.wait(f"{article(ts)}?.querySelectorAll('.thread > article').length === 3")
    page.js(f"{article(ts)}.querySelector('.thread').open = true")
    html = page.js(f"{article(ts)}.querySelector('.thread').innerText")
    assert all(part in html for part in ("3 replies", "imker", "words alone", "imker-x.md, 24 bytes", "only visible"))
    page.js(f"{article(ts)}.querySelector('.file').open = true")
    page.wait(f"{article(ts)}.querySelector('.file pre').textContent === '# Migration of the fleet'")
    assert page.js(f"fetch({article(ts)}.querySelector('.file a').href).then((one) => one.text())").startswith("# Mig")
    app.chat_update(channel=OPS, ts=reply, text="other words")
    page.wait(f"{article(ts)}.innerText.includes('other words')")
    assert page.js(f"{article(ts)}.querySelector('.file').open"), "what was unfolded stays so"


def test_shows_a_reaction(page: Page, app: WebClient) -> None:
    ts = app.chat_postMessage(channel=OPS, text="look")["ts"]
    app.reactions_add(channel=OPS, timestamp=ts, name="eyes")
    page.wait(f"{article(ts)}?.querySelector('.reactions')?.innerText === '👀 1'")


def test_never_renders_text_of_hosts_as_markup(page: Page, app: WebClient) -> None:
    cell = {"type": "raw_text", "text": "<img src=x onerror='document.title=1'>"}
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "table", "rows": [[cell], [cell]]}])["ts"]
    page.wait(f"{article(ts)}?.querySelectorAll('td, th').length === 2")
    assert page.js("document.querySelectorAll('td img, th img').length") == 0


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("*bold* _italic_ ~gone~ `code`", "<b>bold</b> <i>italic</i> <s>gone</s> <code>code</code>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("&lt;b&gt; &amp;amp;", "&lt;b&gt; &amp;amp;"),
        ("```a *b*\n&lt;c&gt;```", "<pre>a *b*\n&lt;c&gt;</pre>"),
        ("<@U01ALICE> <#C01OPS>", '<b class="mention">@alice</b> <b class="mention">#ops</b>'),
        (
            "<https://x.org/?a=1&amp;b|see>",
            '<a href="https://x.org/?a=1&amp;b" target="_blank" rel="noreferrer">see</a>',
        ),
        ("<javascript:alert(1)|see>", "see"),
        (":white_check_mark: :nosuch: 12:30:45", "✅ :nosuch: 12:30:45"),
    ],
)
def test_renders_mrkdwn(page: Page, text: str, markup: str) -> None:
    html = f"import('/static/text.js').then((text) => text.mrkdwn({json.dumps(text)}).innerHTML)"
    assert page.js(html) == markup


WORDS = {"type": "plain_text", "text": "words"}
RICH = {
    "type": "rich_text",
    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "words"}]}],
}
ROWS = [[{"type": "raw_text", "text": "words"}], [RICH]]
TASK = {"type": "task_card", "task_id": "1", "title": "words", "status": "complete", "details": RICH}
EACH: dict[str, dict[str, Any]] = {
    "section": {"fields": [WORDS], "accessory": button("words", "a")},
    "context": {"elements": [WORDS, {"type": "image", "image_url": "/x", "alt_text": "x"}]},
    "actions": {"elements": [button("words", "a"), {"type": "static_select"}]},
    "divider": {},
    "header": {"text": WORDS},
    "image": {"image_url": "/x", "alt_text": "x", "title": WORDS},
    "rich_text": RICH,
    "input": {"label": WORDS, "element": {"type": "plain_text_input"}},
    "table": {"rows": ROWS},
    "data_table": {"rows": ROWS, "caption": "words"},
    "plan": {"title": "words", "tasks": [TASK]},
    "task_card": TASK,
    "container": {"title": WORDS, "child_blocks": [{"type": "header", "text": WORDS}]},
    "markdown": {"text": "words"},
    "data_visualization": {},
    "card": {"title": WORDS, "body": WORDS, "actions": [button("words", "a")]},
    "alert": {"text": WORDS},
}


@pytest.mark.parametrize("kind", BLOCK_TYPES)
def test_renders_every_block_type(page: Page, kind: str) -> None:
    block = json.dumps({**EACH[kind], "type": kind})
    html = page.js(f"import('/static/blocks.js').then(({{ drawn }}) => drawn({block}).outerHTML)")
    assert "not drawn here" not in html
    assert "words" in html or kind in ("divider", "data_visualization")


def test_a_block_that_cannot_be_rendered_hides_no_other(page: Page, app: WebClient) -> None:
    odd = {"type": "rich_text", "elements": [{"type": "rich_text_section"}]}
    fields = {"type": "section", "fields": [{"type": "mrkdwn", "text": "a *field*"}]}
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[odd, fields])["ts"]
    page.wait(f"{article(ts)}?.innerText.includes('(rich_text: not drawn here)')")
    assert "a field" in page.js(f"{article(ts)}.innerText")


def test_hides_a_private_reply_from_other_users(page: Page, app: WebClient) -> None:
    app.chat_postEphemeral(channel=OPS, user="U01ALICE", text="for alice alone")
    page.wait("document.body.innerText.includes('for alice alone')")
    page.act_as("U02BOB")
    page.wait("!document.body.innerText.includes('for alice alone')")


# --- broadcasts, notifications, and permalinks ---------------------------------------------------------------


def open_notifications(page: Page) -> None:
    page.js("document.getElementById('notifications').open = true")


@pytest.mark.parametrize("width", [1200, 390])
def test_shows_a_broadcast_and_its_notification(page: Page, app: WebClient, width: int) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 400)
    parent = app.chat_postMessage(channel=OPS, text="the card")["ts"]
    text = f"✋ <!subteam^S01OPS> please accept {width}"
    ts = app.chat_postMessage(channel=OPS, text=text, thread_ts=parent, reply_broadcast=True)["ts"]
    page.wait(f"{article(ts)}?.innerText.includes('replied to a thread')")
    assert "@ops please accept" in page.js(f"{article(ts)}.innerText")
    page.wait("/\\d new/.test(document.querySelector('#notifications summary').textContent)")
    open_notifications(page)
    page.wait(f"document.querySelector('#notifications button')?.innerText.includes('please accept {width}')")
    box = page.js("(b => [b.left, b.right])(document.querySelector('#notifications menu').getBoundingClientRect())")
    assert box[0] >= 0
    assert box[1] <= width
    page.js("document.querySelector('#notifications button').click()")
    page.wait("document.querySelector('article.target')?.innerText.includes('please accept')")
    page.act_as("U03CAROL")
    open_notifications(page)
    page.wait("document.querySelector('#notifications menu').innerText === 'Nothing has notified you.'")
    page.key("Escape", 27)
    assert not page.js("document.getElementById('notifications').open")


def test_follows_a_permalink_within_the_page(page: Page, app: WebClient) -> None:
    ts = app.chat_postMessage(channel=OPS, text="the card")["ts"]
    link = app.chat_getPermalink(channel=OPS, message_ts=ts)["permalink"]
    other = app.chat_postMessage(channel=OPS, text=f"see <{link}|the card>")["ts"]
    page.wait(f"{article(other)}?.querySelector('a')")
    page.js(f"{article(other)}.querySelector('a').click()")
    page.wait(f"{article(ts)}.classList.contains('target')")


# --- focus, faults, and layout ----------------------------------------------------------------------------------


def test_keeps_focus_when_messages_arrive(page: Page, app: WebClient) -> None:
    blocks = [section("one"), actions(button("Accept", "run.accept"), button("Reject", "run.reject"))]
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=blocks)["ts"]
    page.wait(f"{article(ts)}?.querySelectorAll('button').length === 2")
    page.js(f"window.before = {article(ts)}; before.querySelectorAll('button')[1].focus()")
    other = app.chat_postMessage(channel=OPS, text="another message")["ts"]
    page.wait(article(other))
    assert page.js(f"before === {article(ts)}"), "what did not change is not drawn, nor read out, again"
    app.chat_update(channel=OPS, ts=ts, text="x", blocks=[section("two"), blocks[1]])
    page.wait(f"{article(ts)}.innerText.includes('two')")
    assert page.js("document.activeElement.textContent") == "Reject"


def test_shows_active_faults_in_the_menu(page: Page, slack: Workspace, app: WebClient) -> None:
    page.js("document.getElementById('faults').open = true")
    page.js("[...document.querySelectorAll('menu button')].find((b) => b.textContent.includes('503')).click()")
    page.wait("document.getElementById('fault-summary').textContent === 'Faults (1 on)'")
    assert page.js("document.querySelector('menu button.on').textContent") == "503 for three calls (on, 3 left)"
    assert httpx.post(f"{slack.url}/api/auth.test", trust_env=False).status_code == 503
    page.wait("document.querySelector('menu button.on').textContent.includes('2 left')")
    page.key("Escape", 27)
    assert not page.js("document.getElementById('faults').open")
    slack.clear_faults()
    page.wait("document.getElementById('fault-summary').textContent === 'Faults'")


def test_pages_and_sorts_a_data_table(page: Page, app: WebClient) -> None:
    texts = [("N", "HOST"), *((str(number), f"h{number}") for number in range(1, 31))]
    rows = [[{"type": "raw_text", "text": text} for text in row] for row in texts]
    table = {"type": "data_table", "caption": "30 hosts", "page_size": 25, "row_header_column_index": 1, "rows": rows}
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=[table])["ts"]
    page.wait(f"{article(ts)}?.querySelectorAll('td').length === 50")
    assert "30 hosts" in page.js(f"{article(ts)}.innerText")
    assert page.js(f"{article(ts)}.querySelector('td.key').innerText") == "h1"
    page.js(f"[...{article(ts)}.querySelectorAll('.actions button')].at(-1).click()")
    page.wait(f"{article(ts)}.querySelectorAll('td').length === 10")
    page.js(f"{article(ts)}.querySelector('th').click(); {article(ts)}.querySelector('th').click()")
    page.wait(f"{article(ts)}.querySelector('td').innerText === '30'")
    assert "page 1 of 2" in page.js(f"{article(ts)}.innerText")


def test_fits_on_a_phone_screen(page: Page, app: WebClient) -> None:
    row = [{"type": "raw_text", "text": "a wide cell " * 5}] * 6
    app.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "table", "rows": [row]}, section("x" * 300)])
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    page.js("document.getElementById('faults').open = true")
    boxes = "[...document.querySelectorAll('header *, menu, menu button, article, .body, form, #text')]"
    page.wait(
        f"{boxes}.every((one) => {{ const b = one.getBoundingClientRect(); return b.left >= 0 && b.right <= 390; }})"
    )
    assert page.js("document.documentElement.scrollWidth") == 390
    page.js("document.getElementById('faults').open = false")
