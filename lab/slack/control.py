"""What people and tests do: say, press, submit, see; and what they ask to go wrong."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lab.slack import people
from lab.slack.faults import Fault
from lab.slack.standin import StandIn
from lab.slack.state import SlackRefuses


class Control:
    def __init__(self, slack: StandIn) -> None:
        self._slack = slack
        self._state = slack.state

    def routes(self) -> list[BaseRoute]:
        done = (self.say, self.press, self.submit, self.home, self.fault, self.channel, self.remove)
        read = (self.views, self.sees, self.told, self.people)
        return [
            *(Route(f"/lab/{act.__name__}", act, methods=["POST"]) for act in done),
            *(Route(f"/lab/{look.__name__}", look) for look in read),
        ]

    async def say(self, request: Request) -> Response:
        said = await request.json()
        base = str(request.base_url).rstrip("/")
        if said["text"].startswith("/"):
            payload = people.command(self._state, said["user"], said["channel"], said["text"], base)
            return await self._delivered("slash_commands", payload)
        return await self._delivered(
            "events_api", people.mention(self._state, said["user"], said["channel"], said["text"])
        )

    async def press(self, request: Request) -> Response:
        said = await request.json()
        base = str(request.base_url).rstrip("/")
        try:
            payload = people.press(self._state, said["user"], said["ts"], said["action_id"], base)
        except SlackRefuses as refused:
            return JSONResponse({"error": refused.error}, status_code=409)
        payload["actions"][0].update(said.get("forged") or {})
        return await self._delivered("interactive", payload)

    async def submit(self, request: Request) -> Response:
        said = await request.json()
        try:
            payload = people.submit(self._state, said["user"], said["view_id"], said.get("values") or {})
        except SlackRefuses as refused:
            return JSONResponse({"error": refused.error}, status_code=409)
        return await self._delivered("interactive", payload)

    async def home(self, request: Request) -> Response:
        return await self._delivered("events_api", people.open_home(self._state, (await request.json())["user"]))

    async def views(self, request: Request) -> Response:
        user = request.query_params["user"]
        return JSONResponse([view for view in self._state.views.values() if view["user"] == user])

    async def sees(self, request: Request) -> Response:
        user, channel = request.query_params["user"], request.query_params["channel"]
        return JSONResponse([message.as_seen() for message in self._state.seen_by(user, channel)])

    async def fault(self, request: Request) -> Response:
        said = await request.json()
        faults, sockets = self._slack.faults, self._slack.sockets
        if said.get("clear"):
            faults.clear()
        elif said["kind"] == "disconnect":
            await sockets.disconnect(said.get("reason", "refresh_requested"))
        elif said["kind"] == "deafen":
            sockets.deafen()
        else:
            faults.add(Fault(**said))
        return JSONResponse({"set": [vars(fault) for fault in faults.all()]})

    async def told(self, request: Request) -> Response:
        sockets = self._slack.sockets
        return JSONResponse({"calls": self._slack.calls, "sockets": sockets.count, "pongs": sockets.pongs})

    async def people(self, request: Request) -> Response:
        users, channels = self._state.users.values(), self._state.channels.values()
        return JSONResponse({"users": list(users), "channels": list(channels)})

    async def channel(self, request: Request) -> Response:
        """Somebody archives a channel, or takes the app out of it, or puts that right again."""
        said = await request.json()
        self._state.tend(said["channel"], archived=said["archived"], app=said["app"])
        return JSONResponse({})

    async def remove(self, request: Request) -> Response:
        """A user deletes a message."""
        self._state.messages.pop((await request.json())["ts"], None)
        self._slack.changes.tell()
        return JSONResponse({})

    async def _delivered(self, kind: str, payload: dict[str, Any]) -> Response:
        answer = await self._slack.sockets.deliver(kind, payload)
        self._slack.changes.tell()
        return JSONResponse(answer)
