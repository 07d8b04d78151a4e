"""The app's side of the fake Slack: Web API methods, response URLs, uploads. Faults can apply to each."""

import asyncio
import json
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from lab.slack import methods
from lab.slack.fake_slack import FakeSlack
from lab.slack.state import RESPONSE_URL_MINUTES, RESPONSE_URL_USES, SlackError

MALFORMED_ERRORS = {  # structured arguments, and Slack's error code if one is not JSON
    "blocks": "invalid_blocks_format",
    "metadata": "invalid_metadata_format",
    "view": "invalid_arguments",
    "files": "invalid_arguments",
    "attachments": "invalid_attachments",
}


class WebApi:
    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack
        self._state = slack.state

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/{method}", self.call_method, methods=["GET", "POST"]),
            Route("/response/{key}", self.use_response_url, methods=["POST"]),
            Route("/upload/{file}", self.upload_file, methods=["POST"]),
        ]

    async def call_method(self, request: Request) -> Response:
        method = request.path_params["method"]
        self._state.base_url = str(request.base_url).rstrip("/")
        try:
            arguments, token = await _parse_arguments(request)
        except SlackError as error:
            return self._reply(method, {}, {"ok": False, "error": error.error})
        fault_response = await self._fault_response(method)
        if fault_response is not None:
            self._slack.record_call(method, arguments, fault_response.status_code)
            self._slack.changes.notify()
            return fault_response
        try:
            answer: dict[str, Any] = {"ok": True, **methods.call_method(method, arguments, token, self._state)}
        except SlackError as error:
            answer = {"ok": False, "error": error.error, **error.fields}
        if method == "apps.connections.open" and answer["ok"]:
            answer["url"] = str(request.base_url).replace("http", "ws", 1) + "socket"
        return self._reply(method, arguments, answer)

    def _reply(self, method: str, arguments: dict[str, Any], answer: dict[str, Any]) -> Response:
        self._slack.record_call(method, arguments, answer.get("error", "ok"))
        self._slack.changes.notify()
        if self._slack.faults.consume(method, "drop_reply"):
            return _truncated_response()
        return JSONResponse(answer, headers={"X-OAuth-Scopes": ",".join(sorted(self._state.manifest.scopes))})

    async def use_response_url(self, request: Request) -> Response:
        """Use a response_url: five uses within 30 minutes, visible to the acting user unless the app says otherwise."""
        if self._slack.faults.consume("response", "away"):
            return _truncated_response()
        url = self._state.response_urls.get(request.path_params["key"])
        if (
            url is None
            or url.use_count >= RESPONSE_URL_USES
            or time.time() - url.created_at > RESPONSE_URL_MINUTES * 60
        ):
            return JSONResponse({"ok": False, "error": "used_url"}, status_code=404)
        url.use_count += 1
        payload = await _parse_json(request)
        try:
            methods.respond_to_url(payload, url, self._state)
        except SlackError as error:
            return JSONResponse({"ok": False, "error": error.error}, status_code=400)
        self._slack.record_call("response", {**payload, "key": request.path_params["key"]}, "ok")
        self._slack.changes.notify()
        return JSONResponse({"ok": True})

    async def upload_file(self, request: Request) -> Response:
        """Store uploaded bytes, which files upload v2 sends without encoding, whatever their Content-Type."""
        if self._slack.faults.consume("upload", "away"):
            return _truncated_response()
        file = self._state.files.get(request.path_params["file"])
        if file is None:
            return Response("", status_code=404)
        file["content"] = await request.body()
        return Response("OK")

    async def _fault_response(self, method: str) -> Response | None:
        latency = self._slack.faults.consume(method, "latency")
        if latency:
            await asyncio.sleep(latency.seconds)
        fault = self._slack.faults.consume(method, "ratelimited", "server_error", "away")
        if fault is None:
            return None
        if fault.kind == "ratelimited":
            headers = {"Retry-After": str(int(fault.seconds))}
            return JSONResponse({"ok": False, "error": "ratelimited"}, status_code=429, headers=headers)
        return Response("", status_code=503) if fault.kind == "server_error" else _truncated_response()


def _truncated_response() -> Response:
    """Return a response whose connection ends halfway."""

    async def nothing() -> Any:
        yield b"{"
        raise ConnectionAbortedError("a fault that was asked for")

    return StreamingResponse(nothing(), headers={"Content-Length": "1000"})


async def _parse_arguments(request: Request) -> tuple[dict[str, Any], str]:
    """Parse arguments. slack_sdk sends some methods as JSON and some as forms with blocks as JSON strings."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if "json" in request.headers.get("content-type", ""):
        fields = await _parse_json(request)
    else:
        fields = {**request.query_params, **{key: str(value) for key, value in (await request.form()).items()}}
    arguments = {key: _decode_argument(key, value) for key, value in fields.items()}
    return arguments, token or str(arguments.pop("token", ""))


async def _parse_json(request: Request) -> dict[str, Any]:
    try:
        payload = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise SlackError("invalid_json") from error
    if not isinstance(payload, dict):
        raise SlackError("json_not_object")
    return payload


def _decode_argument(key: str, value: Any) -> Any:
    """Decode a structured argument, which may be a JSON string everywhere."""
    if key not in MALFORMED_ERRORS:
        if isinstance(value, dict | list):
            raise SlackError("invalid_arguments")
        return value
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise SlackError(MALFORMED_ERRORS[key]) from error
