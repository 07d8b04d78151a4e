"""The web page that shows a channel, and the event stream that notifies it of changes."""

from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from lab.slack.fake_slack import FakeSlack

PAGE_DIR = Path(__file__).with_name("page")
KEEPALIVE_INTERVAL = 10.0  # seconds between keepalive lines


class WebPage:
    def __init__(self, slack: FakeSlack) -> None:
        self._changes = slack.changes
        self._files = slack.state.files

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.page),
            Route("/archives/{channel}/{message}", self.page),
            Route("/lab/stream", self.stream),
            Route("/file/{file}", self.file),
            Mount("/static", StaticFiles(directory=PAGE_DIR)),
        ]

    async def page(self, request: Request) -> Response:
        return FileResponse(PAGE_DIR / "index.html")

    async def file(self, request: Request) -> Response:
        """Return a file as plain text, so that its markup cannot run in the page."""
        content = self._files.get(request.path_params["file"], {}).get("content")
        return PlainTextResponse(content or b"", status_code=404 if content is None else 200)

    async def stream(self, request: Request) -> Response:
        """Stream one line per change. The page then requests the current state."""

        async def lines() -> AsyncIterator[str]:
            last_version = -1
            while not await request.is_disconnected():
                version = await self._changes.wait_for_change(last_version, KEEPALIVE_INTERVAL)
                yield "data: changed\n\n" if version != last_version else ": still here\n\n"
                last_version = version

        return StreamingResponse(lines(), media_type="text/event-stream")
