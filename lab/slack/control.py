"""What people and tests do: say, press, submit, see; and what they ask to go wrong. Each handler takes what was said

and returns what is answered; what Slack would not let people do is a 409, what makes no sense a 400.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lab.slack import people, surfaces
from lab.slack.faults import Fault
from lab.slack.standin import StandIn
from lab.slack.state import SlackRefuses

Said = dict[str, Any]
UNHEARD = {"acked": False, "seconds": 0.0, "payload": {}}


class Control:
    def __init__(self, slack: StandIn) -> None:
        self._slack = slack
        self._state = slack.state

    def routes(self) -> list[BaseRoute]:
        done = (self.say, self.press, self.submit, self.home, self.fault, self.channel, self.group, self.remove)
        read = (self.views, self.sees, self.told, self.people, self.faults)
        return [
            *(Route(f"/lab/{act.__name__}", self._answering(act), methods=["POST"]) for act in done),
            *(Route(f"/lab/{look.__name__}", self._answering(look)) for look in read),
        ]

    async def say(self, said: Said) -> Any:
        """A slash command, or, without a slash, a mention, of which the app hears where it is."""
        user, channel, text = said["user"], said["channel"], str(said["text"])
        if text.startswith("/"):
            return await self._delivered("slash_commands", people.command(self._state, user, channel, text))
        payload = people.mention(self._state, user, channel, text, said.get("metadata") or {})
        self._slack.changes.tell()
        hears = self._state.app["bot_user"] in self._state.channels[channel]["members"]
        return await self._told(payload) if hears else UNHEARD

    async def press(self, said: Said) -> Any:
        """Of a message, or of a view."""
        if "view_id" in said:
            payload = people.press_in(self._state, said["user"], said["view_id"], said["action_id"])
        else:
            payload = people.press(self._state, said["user"], said["ts"], said["action_id"])
        payload["actions"][0].update(said.get("forged") or {})
        return await self._interactive(payload)

    async def submit(self, said: Said) -> Any:
        payload = people.submit(self._state, said["user"], said["view_id"], said.get("values") or {})
        answer = await self._interactive(payload)
        if answer["acked"]:
            surfaces.submitted(said["view_id"], answer["payload"], self._state)
        return answer

    async def home(self, said: Said) -> Any:
        return await self._told(people.open_home(self._state, said["user"]))

    async def views(self, said: Said) -> Any:
        return [view for view in self._state.views.values() if view["user"] == said["user"]]

    async def sees(self, said: Said) -> Any:
        return [message.as_seen() for message in self._state.seen_by(said["user"], said["channel"])]

    async def fault(self, said: Said) -> Any:
        faults, sockets = self._slack.faults, self._slack.sockets
        if said.get("clear"):
            faults.clear()
        elif said["kind"] == "disconnect":
            await sockets.disconnect(said.get("reason", "refresh_requested"))
        elif said["kind"] == "deafen":
            sockets.deafen()
        else:
            faults.add(Fault(**said))
            await sockets.cut_if_away()
        self._slack.changes.tell()
        return await self.faults(said)

    async def faults(self, said: Said) -> Any:
        return {"set": [vars(fault) for fault in self._slack.faults.all()]}

    async def told(self, said: Said) -> Any:
        sockets = self._slack.sockets
        return {"calls": self._slack.calls, "sockets": sockets.count, "pongs": sockets.pongs}

    async def people(self, said: Said) -> Any:
        return {"users": list(self._state.users.values()), "channels": list(self._state.channels.values())}

    async def channel(self, said: Said) -> Any:
        """Somebody archives a channel, or takes the app out of it, or puts that right again."""
        self._state.tend(said["channel"], archived=said["archived"], app=said["app"])
        self._slack.changes.tell()
        return {}

    async def group(self, said: Said) -> Any:
        """Somebody changes who is in a user group."""
        self._state.groups[said["group"]]["users"] = said["users"]
        return {}

    async def remove(self, said: Said) -> Any:
        """A user deletes a message."""
        self._state.messages.pop(said["ts"], None)
        self._slack.changes.tell()
        return {}

    async def _told(self, payload: Said) -> Said:
        """An event: the app hears of those it subscribed to."""
        known = payload["event"]["type"] in self._state.manifest.events
        return await self._delivered("events_api", payload) if known else UNHEARD

    async def _interactive(self, payload: Said) -> Said:
        return await self._delivered("interactive", payload) if self._state.manifest.interactive else UNHEARD

    async def _delivered(self, kind: str, payload: Said) -> Said:
        answer = await self._slack.sockets.deliver(kind, payload)
        self._slack.changes.tell()
        return {**answer, "delivered": payload}

    def _answering(self, act: Callable[[Said], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._state.base = str(request.base_url).rstrip("/")
            try:
                said = await request.json() if request.method == "POST" else dict(request.query_params)
                return JSONResponse(await act(said))
            except SlackRefuses as refused:
                return JSONResponse({"error": refused.error}, status_code=409)
            except (KeyError, TypeError, ValueError) as wrong:
                return JSONResponse({"error": f"{type(wrong).__name__}: {wrong}"}, status_code=400)

        return answer
