"""The stand-in for Slack over HTTP, on loopback: Web API, Socket Mode, response URLs, a control API, and the page.

It is a stand-in: the product is given its address in SLACK_API_URL, and knows nothing else of it.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lab.slack import methods, people
from lab.slack.blocks import problems
from lab.slack.faults import Fault, Faults
from lab.slack.sockets import Sockets
from lab.slack.state import MINUTES, USES, Message, SlackRefuses, State

PAGE = Path(__file__).with_name("page")


class Slack:
    def __init__(self, config: Path | None = None) -> None:
        self.state = State(config)
        self.faults = Faults()
        self.sockets = Sockets(self.faults)
        self.calls: list[dict[str, Any]] = []
        self.changed = asyncio.Condition()

    # --- what the app calls ---

    async def api(self, request: Request) -> Response:
        method = request.path_params["method"]
        arguments, token = await _arguments(request)
        self.state.base = str(request.base_url).rstrip("/")
        wrong = await self._fault(method)
        if wrong is not None:
            self._note(method, arguments, wrong.status_code)
            return wrong
        try:
            answer: dict[str, Any] = {"ok": True, **methods.call(method, arguments, token, self.state)}
        except SlackRefuses as refused:
            answer = {"ok": False, "error": refused.error, **refused.more}
        if method == "apps.connections.open" and answer["ok"]:
            answer["url"] = str(request.base_url).replace("http", "ws", 1) + "socket"
        self._note(method, arguments, answer.get("error", "ok"))
        await self._tell()
        if self.faults.take(method, "drop_reply"):
            return _cut_off()
        return JSONResponse(answer, headers={"X-OAuth-Scopes": ",".join(sorted(self.state.scopes))})

    async def respond(self, request: Request) -> Response:
        """A response_url: five uses in half an hour, seen by the one who acted unless the app says otherwise."""
        url = self.state.urls.get(request.path_params["key"])
        if url is None or url.used >= USES or time.time() - url.made > MINUTES * 60:
            return JSONResponse({"ok": False, "error": "used_url"}, status_code=404)
        url.used += 1
        said = await request.json()
        if problems(said.get("blocks") or []):
            return JSONResponse({"ok": False, "error": "invalid_blocks"}, status_code=400)
        to = "" if said.get("response_type") == "in_channel" else url.user
        message = Message(self.state.ts(), url.channel, self.state.app["bot_user"], said.get("text", ""), to=to)
        message.blocks = said.get("blocks") or []
        self.state.messages[message.ts] = message
        await self._tell()
        return JSONResponse({"ok": True})

    async def socket(self, socket: WebSocket) -> None:
        await self.sockets.serve(socket)

    # --- what people and tests do ---

    async def say(self, request: Request) -> Response:
        said = await request.json()
        base = str(request.base_url).rstrip("/")
        if said["text"].startswith("/"):
            payload = people.command(self.state, said["user"], said["channel"], said["text"], base)
            return await self._delivered("slash_commands", payload)
        return await self._delivered(
            "events_api", people.mention(self.state, said["user"], said["channel"], said["text"])
        )

    async def press(self, request: Request) -> Response:
        said = await request.json()
        base = str(request.base_url).rstrip("/")
        try:
            payload = people.press(self.state, said["user"], said["ts"], said["action_id"], base)
        except SlackRefuses as refused:
            return JSONResponse({"error": refused.error}, status_code=409)
        payload["actions"][0].update(said.get("forged") or {})
        return await self._delivered("interactive", payload)

    async def submit(self, request: Request) -> Response:
        said = await request.json()
        try:
            payload = people.submit(self.state, said["user"], said["view_id"], said.get("values") or {})
        except SlackRefuses as refused:
            return JSONResponse({"error": refused.error}, status_code=409)
        return await self._delivered("interactive", payload)

    async def home(self, request: Request) -> Response:
        return await self._delivered("events_api", people.open_home(self.state, (await request.json())["user"]))

    async def views(self, request: Request) -> Response:
        user = request.query_params["user"]
        return JSONResponse([view for view in self.state.views.values() if view["user"] == user])

    async def upload(self, request: Request) -> Response:
        """The bytes themselves, as files upload v2 sends them: bare, whatever their Content-Type says."""
        file = self.state.files.get(request.path_params["file"])
        if file is None:
            return Response("", status_code=404)
        file["content"] = await request.body()
        return Response("OK")

    async def sees(self, request: Request) -> Response:
        user, channel = request.query_params["user"], request.query_params["channel"]
        return JSONResponse([message.as_seen() for message in self.state.seen_by(user, channel)])

    async def fault(self, request: Request) -> Response:
        said = await request.json()
        if said.get("clear"):
            self.faults.clear()
        elif said["kind"] == "disconnect":
            await self.sockets.disconnect(said.get("reason", "refresh_requested"))
        elif said["kind"] == "deafen":
            self.sockets.deafen()
        else:
            self.faults.add(Fault(**said))
        return JSONResponse({"set": [vars(fault) for fault in self.faults.all()]})

    async def told(self, request: Request) -> Response:
        return JSONResponse({"calls": self.calls, "sockets": self.sockets.count, "pongs": self.sockets.pongs})

    async def people(self, request: Request) -> Response:
        return JSONResponse({"users": list(self.state.users.values()), "channels": list(self.state.channels.values())})

    async def channel(self, request: Request) -> Response:
        """Somebody archives a channel, or takes the app out of it, or puts that right again."""
        said = await request.json()
        self.state.tend(said["channel"], archived=said["archived"], app=said["app"])
        return JSONResponse({})

    async def group(self, request: Request) -> Response:
        """Somebody changes who is in a user group."""
        said = await request.json()
        self.state.groups[said["group"]]["users"] = said["users"]
        return JSONResponse({})

    async def remove(self, request: Request) -> Response:
        """A user deletes a message."""
        self.state.messages.pop((await request.json())["ts"], None)
        await self._tell()
        return JSONResponse({})

    async def stream(self, request: Request) -> Response:
        """A line whenever something changed: the page then asks for what it shows."""

        async def lines() -> Any:
            yield "data: changed\n\n"
            while not await request.is_disconnected():
                async with self.changed:
                    try:
                        await asyncio.wait_for(self.changed.wait(), 10)
                    except TimeoutError:
                        yield ": still here\n\n"
                        continue
                yield "data: changed\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    # --- ---

    async def _delivered(self, kind: str, payload: dict[str, Any]) -> Response:
        answer = await self.sockets.deliver(kind, payload)
        await self._tell()
        return JSONResponse(answer)

    async def _fault(self, method: str) -> Response | None:
        slow = self.faults.take(method, "latency")
        if slow:
            await asyncio.sleep(slow.seconds)
        wrong = self.faults.take(method, "ratelimited", "server_error", "away")
        if wrong is None:
            return None
        if wrong.kind == "ratelimited":
            headers = {"Retry-After": str(int(wrong.seconds))}
            return JSONResponse({"ok": False, "error": "ratelimited"}, status_code=429, headers=headers)
        return Response("", status_code=503) if wrong.kind == "server_error" else _cut_off()

    def _note(self, method: str, arguments: dict[str, Any], outcome: Any) -> None:
        self.calls.append({"method": method, "at": time.time(), "arguments": arguments, "outcome": outcome})

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def _cut_off() -> Response:
    """A reply that never comes whole: the connection ends in the middle of it."""

    async def nothing() -> Any:
        yield b"{"
        raise ConnectionAbortedError("a fault that was asked for")

    return StreamingResponse(nothing(), headers={"Content-Length": "1000"})


async def _arguments(request: Request) -> tuple[dict[str, Any], str]:
    """slack_sdk sends some methods as JSON and some as forms, in which blocks are JSON in a string."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if "json" in request.headers.get("content-type", ""):
        arguments: dict[str, Any] = json.loads(await request.body() or b"{}")
    else:
        form = {**request.query_params, **{key: str(value) for key, value in (await request.form()).items()}}
        arguments = {key: _decoded(key, value) for key, value in form.items()}
    return arguments, token or str(arguments.pop("token", ""))


def _decoded(key: str, value: str) -> Any:
    return json.loads(value) if key in ("blocks", "metadata", "view", "files") else value


def build(slack: Slack) -> Starlette:
    async def page(request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    return Starlette(
        routes=[
            Route("/api/{method}", slack.api, methods=["GET", "POST"]),
            Route("/response/{key}", slack.respond, methods=["POST"]),
            WebSocketRoute("/socket", slack.socket),
            Route("/lab/say", slack.say, methods=["POST"]),
            Route("/lab/press", slack.press, methods=["POST"]),
            Route("/lab/submit", slack.submit, methods=["POST"]),
            Route("/lab/home", slack.home, methods=["POST"]),
            Route("/lab/views", slack.views),
            Route("/upload/{file}", slack.upload, methods=["POST"]),
            Route("/lab/sees", slack.sees),
            Route("/lab/fault", slack.fault, methods=["POST"]),
            Route("/lab/told", slack.told),
            Route("/lab/people", slack.people),
            Route("/lab/channel", slack.channel, methods=["POST"]),
            Route("/lab/group", slack.group, methods=["POST"]),
            Route("/lab/remove", slack.remove, methods=["POST"]),
            Route("/lab/stream", slack.stream),
            Route("/", page),
            Mount("/static", StaticFiles(directory=PAGE)),
        ]
    )


def serve(port: int, config: Path | None = None) -> None:
    slack = Slack(config)

    class Connection(WebSocketsSansIOProtocol):
        """One that does not answer pings while it is to be deaf."""

        def handle_ping(self) -> None:
            if slack.sockets.hears(self.client):
                slack.sockets.pongs += 1
                super().handle_ping()
            else:
                self.conn.data_to_send()  # the pong, which would go out with whatever comes next

    uvicorn.run(
        build(slack),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        timeout_graceful_shutdown=1,
        ws=Connection,
        ws_ping_interval=None,
    )
