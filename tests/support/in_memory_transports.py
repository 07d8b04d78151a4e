"""Connect SSH, the Engine API, and Slack to the simulations directly, without sockets."""

import itertools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Self

import requests
from docker.api.client import APIClient
from requests.adapters import BaseAdapter
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from jobs.connectors.engine_transport import Dial
from jobs.connectors.shell import Command, Output
from jobs.errors import Unreachable
from jobs.inventory.model import Host
from lab.simulated import engine_api
from lab.simulated.commands import run_line
from lab.simulated.machine import Machine
from lab.slack import methods
from lab.slack.state import SlackError, SlackState

Machines = Callable[[], Mapping[str, Machine]]
_numbers = itertools.count(1)


class InMemoryShell:
    """A Shell without SSH. `cut` is called after each command: true loses the connection before the reply."""

    def __init__(self, host: Host, machines: Machines, cut: Callable[[], bool]) -> None:
        self.host = host.name
        self._machine = machines()[host.name]
        self._cut = cut
        self.reconnect()

    def reconnect(self) -> None:
        if not self._machine.is_up:
            raise Unreachable(f"{self.host} is unreachable over SSH", host=self.host)
        self._source, self._boot = f"wire {next(_numbers)}", self._machine.booted_at

    def run(self, command: Command) -> Output:
        self._require_alive()
        result = run_line(self._machine, command.line, command.stdin, self._source)
        for line in result.lines:
            if command.on_line:
                command.on_line(line.strip())
        result = result.end() if result.end else result
        if self._cut():
            self._boot = 0.0
        self._require_alive()
        return Output(result.exit_status, result.stdout, result.stderr).check(self.host, command)

    def _require_alive(self) -> None:
        if not self._machine.is_up or self._boot != self._machine.booted_at:
            raise Unreachable(f"lost the connection to {self.host}, outcome unknown", host=self.host)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no connection is open."""


class _Adapter(BaseAdapter):
    """A requests adapter that calls the simulated Engine API."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine, self._source = machine, f"engine {next(_numbers)}"

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        machine = self._machine
        if not machine.is_up or not machine.dockerd.tls:
            raise requests.ConnectionError("Connection refused")
        body = request.body or b""
        with machine.lock if request.method == "GET" else nullcontext():
            status, value = engine_api.handle_request(
                machine,
                request.method or "",
                request.path_url,
                body if isinstance(body, bytes) else body.encode(),
                self._source,
            )
        response = requests.models.Response()
        response.status_code, response.url, response.request = status, request.url or "", request
        response._content = b"" if value is None else requests.compat.json.dumps(value).encode()
        return response

    def close(self) -> None:
        """Do nothing: no connection is open."""


def engine_client_factory(machines: Machines) -> Callable[..., APIClient]:
    """Replace `open_client` of jobs.connectors.engine."""

    def create_client(host: Host, timeout: float, api_version: str, _: Dial | None) -> APIClient:
        api_client = APIClient(base_url="http://simulated:2376", version=api_version, timeout=int(timeout))
        api_client.mount("http://", _Adapter(machines()[host.name]))
        return api_client

    return create_client


class ClockedSlackState(SlackState):
    """A workspace with the clock of the test. `clock`: returns UNIX seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        super().__init__()

    def new_ts(self) -> str:
        self._last_ts = max(self._clock(), self._last_ts + 0.000001)
        return f"{self._last_ts:.6f}"


class InMemorySlack(WebClient):
    """A WebClient that calls the fake workspace directly."""

    def __init__(self, state: SlackState) -> None:
        super().__init__(token=state.app["bot_token"])
        self.state = state

    def api_call(self, api_method: str, *_: Any, **options: Any) -> Any:
        raw_arguments = {**(options.get("params") or {}), **(options.get("data") or {}), **(options.get("json") or {})}
        arguments = {name: value for name, value in raw_arguments.items() if value is not None}
        try:
            return methods.call_method(api_method, arguments, self.token or "", self.state)
        except SlackError as refused:
            raise SlackApiError(api_method, {"ok": False, "error": refused.error, **refused.fields}) from refused

    def files_upload_v2(self, **options: Any) -> Any:
        """Upload a file without HTTP, which the method of slack_sdk uses."""
        file_fields = {"filename": options["filename"], "length": len(options["content"])}
        file = self.api_call("files.getUploadURLExternal", params=file_fields)["file_id"]
        self.state.files[file]["content"] = options["content"].encode()
        target = {"channel_id": options["channel"], "thread_ts": options["thread_ts"], "files": [{"id": file}]}
        return self.api_call("files.completeUploadExternal", params=target)
