"""A client of the fake Slack for users and tests: say, press, see, wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class VisibleMessage:
    """A message as a user sees it."""

    raw: dict[str, Any]

    @property
    def ts(self) -> str:
        return str(self.raw["ts"])

    @property
    def text(self) -> str:
        return str(self.raw["text"])

    @property
    def ephemeral(self) -> bool:
        return bool(self.raw["ephemeral"])

    @property
    def thread_ts(self) -> str:
        return str(self.raw.get("thread_ts", ""))

    @property
    def plain_text(self) -> str:
        """Return all text of the blocks, from top to bottom."""
        return "\n".join(line for block in self.raw["blocks"] for line in _texts(block))

    @property
    def buttons(self) -> list[str]:
        return list(self.actions)

    @property
    def actions(self) -> dict[str, str]:
        """Return label -> action_id of the buttons."""
        rows = [block["elements"] for block in self.raw["blocks"] if block["type"] == "actions"]
        buttons = [element for row in rows for element in row if element["type"] == "button"]
        return {button["text"]["text"]: button.get("action_id", "") for button in buttons}


class Workspace:
    """The fake Slack at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def say(self, user: str, channel: str, text: str, **more: Any) -> dict[str, Any]:
        """Send a slash command or, without a slash, a mention.

        Returns `acked`, `seconds`, `payload`, `delivered`. `more` is a mention's `metadata`.
        """
        return self._post("/lab/say", user=user, channel=channel, text=text, **more)

    def press(self, user: str, message: VisibleMessage, button: str, **forged: str) -> dict[str, Any]:
        """Press a button of a message. Raises httpx.HTTPStatusError if the user no longer sees it."""
        return self._post(
            "/lab/press", user=user, ts=message.ts, action_id=message.actions.get(button, ""), forged=forged
        )

    def press_in_view(self, user: str, view: dict[str, Any], action_id: str) -> dict[str, Any]:
        """Press a button of a modal or of the home tab, one of `views`."""
        return self._post("/lab/press", user=user, view_id=view["id"], action_id=action_id)

    def visible_messages(self, user: str, channel: str) -> list[VisibleMessage]:
        answer = self._http.get("/lab/sees", params={"user": user, "channel": channel})
        return [VisibleMessage(raw) for raw in answer.raise_for_status().json()]

    def wait_for_message(
        self,
        user: str,
        channel: str,
        expected: str | Callable[[VisibleMessage], bool],
        seconds: float = 10,
        after: str = "",
    ) -> VisibleMessage:
        """Return the newest message that matches, once there is one. `after` ignores messages up to this ts."""

        def matches(message: VisibleMessage) -> bool:
            return (
                expected in f"{message.text}\n{message.plain_text}" if isinstance(expected, str) else expected(message)
            )

        deadline = time.monotonic() + seconds
        while True:
            messages = [
                visible for visible in self.visible_messages(user, channel) if visible.ts > after and matches(visible)
            ]
            if messages:
                return messages[-1]
            if time.monotonic() > deadline:
                recent = "\n---\n".join(message.plain_text for message in self.visible_messages(user, channel)[-4:])
                raise TimeoutError(f"{user} does not see {expected!r} within {seconds} s; the last messages:\n{recent}")
            time.sleep(0.05)

    def submit(self, user: str, view_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Submit a modal and return the app's response in `payload`."""
        return self._post("/lab/submit", user=user, view_id=view_id, values=values)

    def open_home(self, user: str) -> dict[str, Any]:
        return self._post("/lab/home", user=user)

    def views(self, user: str) -> list[dict[str, Any]]:
        """Return the modals and the home tab of this user."""
        return list(self._http.get("/lab/views", params={"user": user}).json())

    def calls(self, method: str = "") -> list[dict[str, Any]]:
        """Return the calls that the app has made so far."""
        recorded = self._http.get("/lab/calls").json()["calls"]
        return [call for call in recorded if not method or call["method"] == method]

    def connection_count(self) -> int:
        return int(self._http.get("/lab/calls").json()["sockets"])

    def pong_count(self) -> int:
        """Return how many of the app's pings were answered."""
        return int(self._http.get("/lab/calls").json()["pongs"])

    def set_fault(self, kind: str, **more: Any) -> None:
        self._post("/lab/fault", kind=kind, **more)

    def pending_faults(self) -> set[tuple[str, str]]:
        """Return kind and method of the faults that have not happened often enough yet."""
        pending = self._http.get("/lab/faults").json()["set"]
        return {(fault["kind"], fault["method"]) for fault in pending}

    def clear_faults(self) -> None:
        self._post("/lab/fault", clear=True)

    def set_channel(self, channel: str, *, archived: bool = False, app: bool = True) -> None:
        """Set whether a channel is archived, and whether the app is a member."""
        self._post("/lab/channel", channel=channel, archived=archived, app=app)

    def set_group(self, group: str, *users: str) -> None:
        """Set the members of a user group."""
        self._post("/lab/group", group=group, users=users)

    def delete_message(self, message: VisibleMessage) -> None:
        self._post("/lab/remove", ts=message.ts)

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, **payload: Any) -> dict[str, Any]:
        return dict(self._http.post(path, json=payload).raise_for_status().json())


def _texts(block: Any) -> list[str]:
    """Return texts in reading order, a table row as one line."""
    if isinstance(block, list):
        return [line for inner in block for line in _texts(inner)]
    if not isinstance(block, dict):
        return []
    if block.get("type") in ("table", "data_table"):
        return ["  ".join(cell.get("text", "") for cell in row) for row in block["rows"]]
    if isinstance(block.get("text"), str):
        return [block["text"]]
    lines = [f"[{block['status']}] {block['title']}"] if block.get("type") == "task_card" else []
    lines += [block["title"]] if block.get("type") == "plan" else []
    inner = (block.get(key) for key in ("text", "elements", "fields", "tasks", "details", "output"))
    return lines + [line for value in inner for line in _texts(value)]
