"""What the app calls: the Web API's methods, response URLs, uploads. Each may be asked to go wrong."""

import asyncio
import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from lab.slack import methods
from lab.slack.standin import StandIn
from lab.slack.state import MINUTES, USES, SlackRefuses

MALFORMED = {  # what is structured, and Slack's word for one that is no JSON
    "blocks": "invalid_blocks_format",
    "metadata": "invalid_metadata_format",
    "view": "invalid_arguments",
    "files": "invalid_arguments",
    "attachments": "invalid_attachments",
}


class WebApi:
    def __init__(self, slack: StandIn) -> None:
        self._slack = slack
        self._state = slack.state

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/{method}", self.api, methods=["GET", "POST"]),
            Route("/response/{key}", self.respond, methods=["POST"]),
            Route("/upload/{file}", self.upload, methods=["POST"]),
        ]

    async def api(self, request: Request) -> Response:
        method = request.path_params["method"]
        self._state.base = str(request.base_url).rstrip("/")
        try:
            arguments, token = await _arguments(request)
        except SlackRefuses as refused:
            return self._answered(method, {}, {"ok": False, "error": refused.error})
        wrong = await self._fault(method)
        if wrong is not None:
            self._slack.note(method, arguments, wrong.status_code)
            self._slack.changes.tell()
            return wrong
        try:
            answer: dict[str, Any] = {"ok": True, **methods.call(method, arguments, token, self._state)}
        except SlackRefuses as refused:
            answer = {"ok": False, "error": refused.error, **refused.more}
        if method == "apps.connections.open" and answer["ok"]:
            answer["url"] = str(request.base_url).replace("http", "ws", 1) + "socket"
        return self._answered(method, arguments, answer)

    def _answered(self, method: str, arguments: dict[str, Any], answer: dict[str, Any]) -> Response:
        self._slack.note(method, arguments, answer.get("error", "ok"))
        self._slack.changes.tell()
        if self._slack.faults.take(method, "drop_reply"):
            return _cut_off()
        return JSONResponse(answer, headers={"X-OAuth-Scopes": ",".join(sorted(self._state.manifest.scopes))})

    async def respond(self, request: Request) -> Response:
        """A response_url: five uses in half an hour, seen by the one who acted unless the app says otherwise."""
        if self._slack.faults.take("response", "away"):
            return _cut_off()
        url = self._state.urls.get(request.path_params["key"])
        if url is None or url.used >= USES or time.time() - url.made > MINUTES * 60:
            return JSONResponse({"ok": False, "error": "used_url"}, status_code=404)
        url.used += 1
        said = await _said(request)
        try:
            methods.respond(said, url, self._state)
        except SlackRefuses as refused:
            return JSONResponse({"ok": False, "error": refused.error}, status_code=400)
        self._slack.note("response", {**said, "key": request.path_params["key"]}, "ok")
        self._slack.changes.tell()
        return JSONResponse({"ok": True})

    async def upload(self, request: Request) -> Response:
        """The bytes themselves, as files upload v2 sends them: bare, whatever their Content-Type says."""
        if self._slack.faults.take("upload", "away"):
            return _cut_off()
        file = self._state.files.get(request.path_params["file"])
        if file is None:
            return Response("", status_code=404)
        file["content"] = await request.body()
        return Response("OK")

    async def _fault(self, method: str) -> Response | None:
        slow = self._slack.faults.take(method, "latency")
        if slow:
            await asyncio.sleep(slow.seconds)
        wrong = self._slack.faults.take(method, "ratelimited", "server_error", "away")
        if wrong is None:
            return None
        if wrong.kind == "ratelimited":
            headers = {"Retry-After": str(int(wrong.seconds))}
            return JSONResponse({"ok": False, "error": "ratelimited"}, status_code=429, headers=headers)
        return Response("", status_code=503) if wrong.kind == "server_error" else _cut_off()


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
        given = await _said(request)
    else:
        given = {**request.query_params, **{key: str(value) for key, value in (await request.form()).items()}}
    arguments = {key: _decoded(key, value) for key, value in given.items()}
    return arguments, token or str(arguments.pop("token", ""))


async def _said(request: Request) -> dict[str, Any]:
    try:
        said = json.loads(await request.body() or b"{}")
    except ValueError as wrong:
        raise SlackRefuses("invalid_json") from wrong
    if not isinstance(said, dict):
        raise SlackRefuses("json_not_object")
    return said


def _decoded(key: str, value: Any) -> Any:
    """Only what is structured may be; it may come as JSON in a string everywhere."""
    if key not in MALFORMED:
        if isinstance(value, dict | list):
            raise SlackRefuses("invalid_arguments")
        return value
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as wrong:
        raise SlackRefuses(MALFORMED[key]) from wrong
