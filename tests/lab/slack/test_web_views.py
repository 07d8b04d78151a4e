"""The Home tab, modals, and shortcuts of the web page in a real browser, for the forms of Imker itself."""

from collections.abc import Iterator
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler

from bot.commands.table import BY_NAME
from bot.messages.views.form import CommandForm, command_form, host_options
from lab.browser import Page
from lab.slack.client import Workspace
from tests.lab.slack.test_web_page import article
from tests.support.bolt_app import actions, button, wait_until, web_client

pytestmark = [pytest.mark.processes, pytest.mark.browser]
ALICE = "U01ALICE"
HOSTS = ("connewitz", "kaditz", "tondi")
COMMANDS = tuple(BY_NAME[name] for name in ("nodes", "plan", "migrate", "migrate all"))


class FormApp:
    """An app that shows Imker's form and records what is submitted."""

    def __init__(self, slack: Workspace) -> None:
        self.submitted: list[dict[str, Any]] = []
        self.pressed: list[str] = []
        self.client = web_client(slack)
        self.app = App(client=self.client, token_verification_enabled=False)
        self.app.shortcut("swarm_form")(self.on_shortcut)
        self.app.action("form.choose")(self.on_choice)
        self.app.options("form.host")(self.on_search)
        self.app.view("form.command")(self.on_submit)
        self.app.action("press")(self.on_press)
        self.app.event("app_home_opened")(self.on_home)

    def on_shortcut(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        self.client.views_open(trigger_id=body["trigger_id"], view=command_form(CommandForm(("C01OPS",), COMMANDS)))

    def on_choice(self, ack: Any, body: dict[str, Any], action: dict[str, Any]) -> None:
        ack()
        chosen = BY_NAME[action["selected_option"]["value"]]
        form = command_form(CommandForm(("C01OPS",), COMMANDS, chosen))
        self.client.views_update(view_id=body["view"]["id"], view=form)

    def on_search(self, ack: Any, body: dict[str, Any]) -> None:
        ack(options=host_options(HOSTS, body["value"]))

    def on_submit(self, ack: Any, body: dict[str, Any]) -> None:
        values = body["view"]["state"]["values"]
        if values.get("host", {}).get("form.host", {}).get("selected_option", {}).get("value") == "kaditz":
            return ack(response_action="errors", errors={"host": "Not this one."})
        self.submitted.append(values)
        return ack()

    def on_press(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        self.pressed.append(body["view"]["type"])

    def on_home(self, event: dict[str, Any]) -> None:
        heading = {"type": "header", "text": {"type": "plain_text", "text": "Waiting for you"}}
        view = {"type": "home", "blocks": [heading, actions(button("Plan a host", "press"))]}
        self.client.views_publish(user_id=event["user"], view=view)


@pytest.fixture(scope="module")
def connected(slack: Workspace) -> Iterator[FormApp]:
    app = FormApp(slack)
    handler = SocketModeHandler(app.app, "xapp-lab")
    handler.connect()
    wait_until(slack.connection_count)
    yield app
    handler.close()


@pytest.fixture
def app(slack: Workspace, page: Page, connected: FormApp) -> Iterator[FormApp]:
    page.call("Emulation.clearDeviceMetricsOverride")
    page.wait("document.querySelectorAll('#user option').length > 3")
    page.act_as(ALICE)
    yield connected
    slack.close_modals(ALICE)
    page.wait("!document.getElementById('modal').open")


def open_form(page: Page) -> None:
    page.js("document.querySelector('#shortcuts button').click()")
    page.wait("document.querySelector('#modal select')")


def choose(page: Page, command: str) -> None:
    page.js(
        f"{{ const one = document.querySelector('#modal select'); one.value = '{command}'; "
        "one.dispatchEvent(new Event('change')); }"
    )


def search(page: Page, query: str, match: str) -> None:
    """Type into the search field, and click the host that is found."""
    page.wait("document.querySelector('#modal input[type=search]')")
    page.js("document.querySelector('#modal input[type=search]').focus()")
    page.call("Input.insertText", text=query)
    option = f"[...document.querySelectorAll('#modal [role=option]')].find((one) => one.textContent === '{match}')"
    page.wait(option)
    page.js(f"{option}.click()")


def submit(page: Page) -> None:
    page.js("document.querySelector('#modal .primary').click()")


def test_fills_in_a_form_from_the_shortcut(page: Page, app: FormApp) -> None:
    app.submitted.clear()
    open_form(page)
    choose(page, "migrate")
    search(page, "ton", "tondi")
    page.js("document.querySelector('#modal input[type=radio][value=manager]').click()")
    submit(page)
    wait_until(lambda: app.submitted)
    page.wait("!document.getElementById('modal').open")
    (values,) = app.submitted
    assert values["command"]["form.choose"]["selected_option"]["value"] == "migrate"
    assert values["host"]["form.host"]["selected_option"]["value"] == "tondi"
    assert values["role"]["form.role"]["selected_option"]["value"] == "manager"


def test_chooses_several_hosts(page: Page, app: FormApp) -> None:
    app.submitted.clear()
    open_form(page)
    choose(page, "migrate all")
    search(page, "ton", "tondi")
    search(page, "con", "connewitz")
    submit(page)
    wait_until(lambda: app.submitted)
    page.wait("!document.getElementById('modal').open")
    options = app.submitted[0]["excluded_hosts"]["form.host"]["selected_options"]
    assert [option["value"] for option in options] == ["tondi", "connewitz"]


def test_shows_what_to_correct(page: Page, app: FormApp) -> None:
    open_form(page)
    submit(page)
    page.wait("document.querySelector('#modal .error')?.textContent.includes('required')")
    choose(page, "plan")
    search(page, "kad", "kaditz")
    submit(page)
    page.wait("document.querySelector('#modal [data-block=host] .error')?.textContent === 'Not this one.'")
    assert page.js("document.querySelector('#modal select').value") == "plan"


def test_escape_closes_a_modal(page: Page, app: FormApp, slack: Workspace) -> None:
    open_form(page)
    page.key("Escape", 27)
    wait_until(lambda: slack.modal(ALICE) is None)
    page.wait("!document.getElementById('modal').open")


def test_shows_home_and_presses_its_button(page: Page, app: FormApp, slack: Workspace) -> None:
    app.pressed.clear()
    page.js("document.getElementById('home-tab').click()")
    page.wait("document.getElementById('home').innerText.includes('Waiting for you')")
    assert page.js("getComputedStyle(document.getElementById('messages')).display") == "none"
    page.js("document.querySelector('#home button').click()")
    wait_until(lambda: app.pressed == ["home"])
    ts = app.client.chat_postMessage(channel="C01OPS", text="back")["ts"]
    page.js("document.getElementById('home-tab').click()")
    page.wait(article(ts))
    assert page.js("getComputedStyle(document.getElementById('home')).display") == "none"


@pytest.mark.parametrize("width", [1200, 390])
def test_form_and_home_fit_on_the_screen(page: Page, app: FormApp, width: int) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 600)
    page.js("document.getElementById('home-tab').click()")
    page.wait("document.getElementById('home').innerText.includes('Waiting for you')")
    open_form(page)
    choose(page, "migrate")
    page.wait("document.querySelector('#modal input[type=search]')")
    boxes = "[...document.querySelectorAll('header *, #home *, #modal, #modal *')]"
    page.wait(f"{boxes}.map((one) => one.getBoundingClientRect()).every((b) => b.left >= 0 && b.right <= {width})")
    assert page.js("document.documentElement.scrollWidth") == width
    page.js("document.getElementById('home-tab').click()")
