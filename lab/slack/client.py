"""A client of the fake Slack for users and tests: say, press, see, wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from lab.slack import visible_blocks
from lab.slack.plain_text import block_texts

Dialog = Literal["confirm", "deny", ""]


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
        return "\n".join(line for block in self.raw["blocks"] for line in block_texts(block))

    @property
    def buttons(self) -> list[str]:
        return list(self.actions)

    @property
    def actions(self) -> dict[str, str]:
        """Return label -> action_id of the buttons."""
        return {label: button.get("action_id", "") for label, button in self._elements_by_label("button").items()}

    @property
    def menu(self) -> list[str]:
        """Return the labels of the overflow menus' items."""
        return [
            label for menu in self._elements_by_label("overflow").values() for label in visible_blocks.options(menu)
        ]

    def press_arguments(self, label: str) -> dict[str, str]:
        """Return what pressing the button or the menu's item sends, without an answer to its dialog."""
        for menu in self._elements_by_label("overflow").values():
            if label in visible_blocks.options(menu):
                return {"action_id": menu["action_id"], "option": visible_blocks.options(menu)[label]}
        return {"action_id": self.actions.get(label, "")}

    def dialog(self, label: str) -> dict[str, Any]:
        """Return the dialog that pressing this opens, {} if there is none."""
        return visible_blocks.dialog_of(self.raw["blocks"], self.press_arguments(label)["action_id"])

    def _elements_by_label(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the buttons or menus of rows and beside sections. A menu's label is its action_id."""
        matches = [each for each in visible_blocks.elements(self.raw["blocks"]) if each["type"] == kind]
        return {each["text"]["text"] if "text" in each else each["action_id"]: each for each in matches}


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

    def press(
        self, user: str, message: VisibleMessage, button: str, dialog: Dialog = "confirm", **forged: Any
    ) -> dict[str, Any]:
        """Press a button of a message or an item of its menu, and answer its confirmation dialog, if it opens one.

        `dialog`: the answer; "" leaves the dialog open, so that nothing is sent. Raises httpx.HTTPStatusError if the
        user no longer sees the button, or if its dialog is not answered.
        """
        answer = dialog if message.dialog(button) else ""
        arguments = message.press_arguments(button)
        return self._post("/lab/press", user=user, ts=message.ts, **arguments, dialog=answer, forged=forged)

    def press_in_view(
        self, user: str, view: dict[str, Any], action_id: str, /, dialog: Dialog = "confirm", **forged: str
    ) -> dict[str, Any]:
        """Press a button of a modal or of the home tab, one of `views`, and answer its dialog as `press` does."""
        dialog = dialog if visible_blocks.dialog_of(view["blocks"], action_id) else ""
        target = {"view_id": view["id"], "action_id": action_id}
        return self._post("/lab/press", user=user, **target, dialog=dialog, forged=forged)

    def use_shortcut(self, user: str, callback_id: str, /, **forged: str) -> dict[str, Any]:
        """Use a global shortcut."""
        return self._post("/lab/shortcut", user=user, callback_id=callback_id, forged=forged)

    def choose(self, user: str, view: dict[str, Any], block_id: str, value: str, **forged: str) -> dict[str, Any]:
        """Choose an option in an input of a modal that reports each change. `forged`: fields of a modified client."""
        chosen = {"selected_option": {"value": value}}
        target = {"user": user, "view_id": view["id"], "block_id": block_id}
        return self._post("/lab/choose", **target, chosen=chosen, forged=forged)

    def search(self, user: str, view: dict[str, Any], block_id: str, query: str = "") -> list[str]:
        """Type into a select of a modal, and return the values that the app suggests."""
        answer = self._post("/lab/suggest", user=user, view_id=view["id"], block_id=block_id, query=query)
        return [option["value"] for option in answer["options"]]

    def visible_messages(self, user: str, channel: str) -> list[VisibleMessage]:
        answer = self._http.get("/lab/sees", params={"user": user, "channel": channel})
        return [VisibleMessage(raw) for raw in answer.raise_for_status().json()]

    def notifications(self, user: str) -> list[dict[str, Any]]:
        """Return what notified this user, oldest first: `reason`, `channel`, `ts`, `thread_ts`, `text`, `broadcast`."""
        return list(self._http.get("/lab/notifications", params={"user": user}).raise_for_status().json())

    def wait_for_message(
        self,
        user: str,
        channel: str,
        expected: str | Callable[[VisibleMessage], bool],
        seconds: float = 60,
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
                recent = "\n---\n".join(message.plain_text for message in self.visible_messages(user, channel)[-8:])
                raise TimeoutError(f"{user} does not see {expected!r} within {seconds} s; the last messages:\n{recent}")
            time.sleep(0.05)

    def submit(self, user: str, view_id: str, values: dict[str, Any], **forged: str) -> dict[str, Any]:
        """Submit a modal and return the app's response in `payload`. `forged`: fields of a modified client."""
        return self._post("/lab/submit", user=user, view_id=view_id, values=values, forged=forged)

    def fill_in(self, user: str, view: dict[str, Any], **chosen: Any) -> dict[str, Any]:
        """Submit a modal with these values by block ID: a text, an option, or a list of options."""
        elements = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
        values = {
            name: {elements[name]["action_id"]: _input_state(elements[name]["type"], value)}
            for name, value in chosen.items()
        }
        return self.submit(user, view["id"], values)

    def close_view(self, user: str, view: dict[str, Any]) -> None:
        """Close a modal without a submission."""
        self._post("/lab/close", user=user, view_id=view["id"])

    def close_modals(self, user: str) -> None:
        """Close all modals of this user without a submission."""
        self._post("/lab/close", user=user)

    def open_home(self, user: str) -> dict[str, Any]:
        return self._post("/lab/home", user=user)

    def home(self, user: str) -> dict[str, Any] | None:
        """Return the Home tab of this user, None if none was published."""
        return next((view for view in self.views(user) if view["type"] == "home"), None)

    def modal(self, user: str) -> dict[str, Any] | None:
        """Return the topmost modal of this user, None if none is open."""
        return next((view for view in reversed(self.views(user)) if view["type"] == "modal"), None)

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

    def set_channel(self, channel: str, *, archived: bool = False, app: bool = True, inviter: str = "") -> None:
        """Set whether a channel is archived, and whether the app is a member."""
        self._post("/lab/channel", channel=channel, archived=archived, app=app, inviter=inviter)

    def set_group(self, group: str, *users: str) -> None:
        """Set the members of a user group."""
        self._post("/lab/group", group=group, users=users)

    def delete_message(self, message: VisibleMessage) -> None:
        self._post("/lab/remove", ts=message.ts)

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, **payload: Any) -> dict[str, Any]:
        return dict(self._http.post(path, json=payload).raise_for_status().json())


def _input_state(kind: str, value: Any) -> dict[str, Any]:
    """Return the state of an input as a submission carries it."""
    if isinstance(value, list):
        return {"type": kind, "selected_options": [{"value": each} for each in value]}
    if kind == "plain_text_input":
        return {"type": kind, "value": value}
    return {"type": kind, "selected_option": {"value": value}}
