"""A tab of a headless Chromium, driven over the DevTools protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from lab.slack.server_process import free_port

START_TIMEOUT, WAIT_TIMEOUT = 60, 20  # seconds; a busy machine takes long to start a browser
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class BrowserError(Exception):
    """The browser did not start, or the page does not show what it should."""


class Page:
    """A browser tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._connection.recv(timeout=WAIT_TIMEOUT))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def js(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(str(result))
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until the JavaScript expression is true."""
        deadline = time.monotonic() + WAIT_TIMEOUT
        while not self.js(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise BrowserError(f"not true: {expression}; the page shows: {self.js('document.body.innerText')}")
            time.sleep(0.05)

    def act_as(self, user: str) -> None:
        """Show the channel as this user sees it."""
        self.js(f"document.getElementById('user').value = '{user}'; document.getElementById('user').onchange()")

    def type(self, text: str) -> None:
        """Type and send text with the keyboard only."""
        self.js("document.getElementById('text').focus()")
        self.call("Input.insertText", text=text)
        self.key("Enter", 13, "\r")

    def key(self, name: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, text=text)

    def resize(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        """Set the size of the window in CSS pixels. `scale`: pixels of a picture per CSS pixel."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def picture(self) -> bytes:
        """Return what the window shows, as a PNG file."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"])


def find_browser() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def open_page(url: str, browser: str) -> Iterator[Page]:
    """Open a page in a browser of its own until the block ends."""
    port = free_port()
    # The browser's helpers may still write to the profile when it has exited; they end a moment later.
    with tempfile.TemporaryDirectory(prefix="imker-b-", ignore_cleanup_errors=True) as profile:
        argv = [browser, *ARGUMENTS, f"--user-data-dir={profile}", f"--remote-debugging-port={port}", f"{url}/"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_tab_address(port, url), max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(10)


def _tab_address(port: int, url: str) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            tabs = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
            addresses = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["url"].startswith(url)]
            if addresses:
                return str(addresses[0])
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise BrowserError("the browser did not start")
