"""The fake Slack on loopback: Web API, Socket Mode, response URLs, a control API, and a web page.

The product gets its address in SLACK_API_URL and does not know that it is fake.
"""

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lab.slack.control_api import ControlApi
from lab.slack.fake_slack import FakeSlack
from lab.slack.web_api import WebApi
from lab.slack.web_page import WebPage


def build_app(slack: FakeSlack) -> Starlette:
    routes = [*WebApi(slack).routes(), *ControlApi(slack).routes(), *WebPage(slack).routes()]
    return Starlette(routes=[*routes, WebSocketRoute("/socket", slack.socket_mode.serve)])


def serve(
    port: int, config: Path | None = None, say: Callable[[str], None] = print, address: str = "127.0.0.1"
) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises OSError if the port is in use, InvalidWorkspace for an invalid file.

    `address`: another one than loopback is for an Imker on the lab's hosts. Who can reach it can control the workspace.
    """
    slack = FakeSlack(config)

    class Connection(WebSocketsSansIOProtocol):
        """A WebSocket connection that does not answer pings while it is deafened."""

        def handle_ping(self) -> None:
            if slack.socket_mode.can_receive(self.client):
                slack.socket_mode.pong_count += 1
                super().handle_ping()
            else:
                self.conn.data_to_send()  # drop the pong, which would go out with the next data

    listener = socket.create_server((address, port))
    url = f"http://{address}:{listener.getsockname()[1]}"
    say(f"The channel: {url}/    For Imker: SLACK_API_URL={url}/api/")
    server_config = uvicorn.Config(
        build_app(slack), log_level="critical", timeout_graceful_shutdown=1, ws=Connection, ws_ping_interval=None
    )
    uvicorn.Server(server_config).run(sockets=[listener])
