"""The page in a real browser: a command typed, a message edited, a button pressed, a private reply private."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from websockets.sync.client import ClientConnection, connect

from lab.slack.client import Workspace
from lab.slack.running import free_port, running

pytestmark = pytest.mark.browser
OPS = "C01OPS"
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Page:
    """A tab, driven over the browser's own protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._connection.recv(timeout=20))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def js(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        deadline = time.monotonic() + 10
        while not self.js(expression):
            assert time.monotonic() < deadline, self.js("document.body.innerText")
            time.sleep(0.05)

    def act_as(self, user: str) -> None:
        self.js(f"document.getElementById('user').value = '{user}'; document.getElementById('user').onchange()")

    def type(self, text: str) -> None:
        """With the keyboard alone."""
        self.js("document.getElementById('text').focus()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
            )

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with running() as workspace:
        yield workspace


@pytest.fixture(scope="module")
def page(slack: Workspace) -> Iterator[Page]:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here; apt-get install chromium")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="imker-b-") as profile:
        argv = [browser, *QUIET, f"--user-data-dir={profile}", f"--remote-debugging-port={port}", f"{slack.url}/"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_tab(port, slack.url), max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(10)


def _tab(port: int, url: str) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            tabs = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
            found = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["url"].startswith(url)]
            if found:
                return str(found[0])
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the browser did not start"
        time.sleep(0.1)


@pytest.fixture
def app(slack: Workspace) -> WebClient:
    return WebClient(token="xoxb-lab", base_url=f"{slack.url}/api/")


def test_a_command_is_typed(page: Page, slack: Workspace) -> None:
    page.wait("document.querySelectorAll('#user option').length > 3")
    page.act_as("U01ALICE")
    page.type("/swarm nodes")
    page.wait("document.getElementById('text').value === ''")


def test_a_message_is_edited_in_place(page: Page, app: WebClient) -> None:
    task = {"type": "task_card", "task_id": "1", "title": "Join the swarm", "status": "in_progress"}
    plan = [{"type": "plan", "block_id": "plan", "title": "0 of 1 steps", "tasks": [task]}]
    ts = app.chat_postMessage(channel=OPS, text="x", blocks=plan)["ts"]
    page.wait("document.querySelectorAll('.task.in_progress').length === 1")
    task["status"] = "complete"
    app.chat_update(channel=OPS, ts=ts, text="x", blocks=plan)
    page.wait("document.querySelectorAll('.task.complete').length === 1")
    page.wait("document.querySelectorAll('.task.in_progress').length === 0")
    assert "(edited)" in page.js("document.getElementById('messages').innerText")


def test_hosts_text_is_never_markup(page: Page, app: WebClient) -> None:
    cell = {"type": "raw_text", "text": "<img src=x onerror='document.title=1'>"}
    app.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "table", "rows": [[cell]]}])
    page.wait("document.querySelectorAll('td').length === 1")
    assert page.js("document.querySelectorAll('td img').length") == 0


def test_a_button_is_pressed(page: Page, app: WebClient) -> None:
    button = {
        "type": "button",
        "text": {"type": "plain_text", "text": "Accept"},
        "action_id": "run.accept",
        "value": "x:1",
    }
    app.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "actions", "elements": [button]}])
    page.wait("document.querySelectorAll('.actions button').length === 1")
    overheard = "window.asked = []; fetch = ((real) => (...a) => { asked.push(a[0]); return real(...a); })(fetch)"
    page.js(f"{overheard}; document.querySelector('.actions button').click()")
    page.wait("asked.includes('/lab/press')")


def test_a_private_reply_is_not_shown_to_another(page: Page, app: WebClient) -> None:
    app.chat_postEphemeral(channel=OPS, user="U01ALICE", text="for alice alone")
    page.act_as("U01ALICE")
    page.wait("document.body.innerText.includes('for alice alone')")
    page.act_as("U02BOB")
    page.wait("!document.body.innerText.includes('for alice alone')")
