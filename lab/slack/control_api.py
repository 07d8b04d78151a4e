"""The control API for people and tests: say, press, submit, see, and inject faults.

Each handler takes a payload and returns the response. What Slack would not let people do is a 409, an invalid request a
400.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lab.slack import user_actions, views
from lab.slack.fake_slack import FakeSlack
from lab.slack.faults import Fault
from lab.slack.state import SlackError

Arguments = dict[str, Any]
NOT_DELIVERED = {"acked": False, "seconds": 0.0, "payload": {}}


class ControlApi:
    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack
        self._state = slack.state

    def routes(self) -> list[BaseRoute]:
        actions = (
            *(self.say, self.press, self.choose, self.suggest, self.submit, self.close, self.shortcut, self.home),
            *(self.fault, self.channel, self.group, self.remove),
        )
        queries = (self.views, self.sees, self.notifications, self.calls, self.people, self.faults)
        return [
            *(Route(f"/lab/{action.__name__}", self._endpoint(action), methods=["POST"]) for action in actions),
            *(Route(f"/lab/{query.__name__}", self._endpoint(query)) for query in queries),
        ]

    async def say(self, arguments: Arguments) -> Any:
        """Send a slash command or, without a slash, a mention. The app gets a mention if it is in the channel."""
        user, channel, text = arguments["user"], arguments["channel"], str(arguments["text"])
        if text.startswith("/"):
            return await self._deliver("slash_commands", user_actions.type_command(self._state, user, channel, text))
        payload = user_actions.mention_bot(self._state, user, channel, text, arguments.get("metadata") or {})
        self._slack.changes.notify()
        is_member = self._state.app["bot_user"] in self._state.channels[channel]["members"]
        return await self._send_event(payload) if is_member else NOT_DELIVERED

    async def press(self, arguments: Arguments) -> Any:
        """Press a button of a message or of a view, or an item of a menu, and answer its confirmation dialog."""
        user = arguments["user"]
        pressed = user_actions.Press(
            arguments["action_id"], arguments.get("option") or "", arguments.get("dialog") or ""
        )
        if "view_id" in arguments:
            payload = user_actions.press_in_view(self._state, user, arguments["view_id"], pressed)
        else:
            payload = user_actions.press_button(self._state, user, arguments["ts"], pressed)
        if payload is None:
            return {**NOT_DELIVERED, "denied": True}
        payload["actions"][0].update(arguments.get("forged") or {})
        return await self._send_interactive(payload)

    async def choose(self, arguments: Arguments) -> Any:
        """Choose an option in an input of a modal that reports each change. `forged`: fields of the view."""
        user, view, block = (arguments[name] for name in ("user", "view_id", "block_id"))
        payload = user_actions.choose_in_view(self._state, user, view, block, arguments["chosen"])
        payload["view"] = {**payload["view"], **(arguments.get("forged") or {})}
        return await self._send_interactive(payload)

    async def suggest(self, arguments: Arguments) -> Any:
        """Type into a select, and return the options that the app suggests."""
        user, view, block = (arguments[name] for name in ("user", "view_id", "block_id"))
        payload = user_actions.search_in_view(self._state, user, view, block, arguments.get("query") or "")
        answer = await self._send_interactive(payload)
        return {**answer, "options": views.check_suggestions(answer["payload"]) if answer["acked"] else []}

    async def submit(self, arguments: Arguments) -> Any:
        """Submit a modal. `forged`: fields of the view that a modified client would send."""
        payload = user_actions.submit_view(
            self._state, arguments["user"], arguments["view_id"], arguments.get("values") or {}
        )
        forged = dict(arguments.get("forged") or {})
        payload["trigger_id"] = forged.pop("trigger_id", payload["trigger_id"])
        payload["view"] = {**payload["view"], **forged}
        answer = await self._send_interactive(payload)
        if answer["acked"]:
            views.handle_submission(arguments["view_id"], answer["payload"], self._state)
            self._slack.changes.notify()
        return answer

    async def close(self, arguments: Arguments) -> Any:
        """Close a modal without a submission, or all modals of the user."""
        if "view_id" in arguments:
            user_actions.find_view(self._state, arguments["user"], arguments["view_id"])
            views.close_view(arguments["view_id"], self._state)
        else:
            views.close_modals(arguments["user"], self._state)
        self._slack.changes.notify()
        return {}

    async def shortcut(self, arguments: Arguments) -> Any:
        """Use a global shortcut."""
        payload = user_actions.use_shortcut(self._state, arguments["user"], arguments["callback_id"])
        return await self._send_interactive({**payload, **(arguments.get("forged") or {})})

    async def home(self, arguments: Arguments) -> Any:
        return await self._send_event(user_actions.open_home(self._state, arguments["user"]))

    async def views(self, arguments: Arguments) -> Any:
        return [view for view in self._state.views.values() if view["user"] == arguments["user"]]

    async def sees(self, arguments: Arguments) -> Any:
        return [
            message.as_visible() for message in self._state.messages_visible_to(arguments["user"], arguments["channel"])
        ]

    async def notifications(self, arguments: Arguments) -> Any:
        """Return the notifications that a user got, oldest first."""
        return [each for each in self._state.notifications if each["user"] == arguments["user"]]

    async def fault(self, arguments: Arguments) -> Any:
        faults, sockets = self._slack.faults, self._slack.socket_mode
        if arguments.get("clear"):
            faults.clear()
        elif arguments["kind"] == "disconnect":
            await sockets.disconnect(arguments.get("reason", "refresh_requested"))
        elif arguments["kind"] == "deafen":
            sockets.deafen()
        else:
            faults.add(Fault(**arguments))
            await sockets.cut_if_away()
        self._slack.changes.notify()
        return await self.faults(arguments)

    async def faults(self, arguments: Arguments) -> Any:
        return {"set": [vars(fault) for fault in self._slack.faults.list_all()]}

    async def calls(self, arguments: Arguments) -> Any:
        sockets = self._slack.socket_mode
        return {"calls": self._slack.calls, "sockets": sockets.connection_count, "pongs": sockets.pong_count}

    async def people(self, arguments: Arguments) -> Any:
        state = self._state
        lists = {"users": state.users, "groups": state.groups, "channels": state.channels}
        shortcuts = [{"callback_id": callback, "name": name} for callback, name in state.manifest.shortcuts]
        return {**{name: list(values.values()) for name, values in lists.items()}, "shortcuts": shortcuts}

    async def channel(self, arguments: Arguments) -> Any:
        """Archive a channel, remove the app from it, or undo that. An invitation of the app is an event."""
        channel, bot_user = arguments["channel"], self._state.app["bot_user"]
        was_member = bot_user in self._state.channels[channel]["members"]
        self._state.update_channel(channel, archived=arguments["archived"], app=arguments["app"])
        self._slack.changes.notify()
        if was_member or not arguments["app"]:
            return {}
        return await self._send_event(user_actions.join_channel(self._state, channel, arguments.get("inviter", "")))

    async def group(self, arguments: Arguments) -> Any:
        """Change the members of a user group."""
        self._state.groups[arguments["group"]]["users"] = arguments["users"]
        return {}

    async def remove(self, arguments: Arguments) -> Any:
        """Delete a message as a user."""
        self._state.messages.pop(arguments["ts"], None)
        self._slack.changes.notify()
        return {}

    async def _send_event(self, payload: Arguments) -> Arguments:
        """Send an event to the app if it subscribed to it."""
        is_subscribed = payload["event"]["type"] in self._state.manifest.events
        return await self._deliver("events_api", payload) if is_subscribed else NOT_DELIVERED

    async def _send_interactive(self, payload: Arguments) -> Arguments:
        return await self._deliver("interactive", payload) if self._state.manifest.interactive else NOT_DELIVERED

    async def _deliver(self, kind: str, payload: Arguments) -> Arguments:
        answer = await self._slack.socket_mode.deliver(kind, payload)
        self._slack.changes.notify()
        return {**answer, "delivered": payload}

    def _endpoint(self, handler: Callable[[Arguments], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._state.base_url = str(request.base_url).rstrip("/")
            try:
                arguments = await request.json() if request.method == "POST" else dict(request.query_params)
                return JSONResponse(await handler(arguments))
            except SlackError as slack_error:
                return JSONResponse({"error": slack_error.error, **slack_error.fields}, status_code=409)
            except (KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)

        return answer
