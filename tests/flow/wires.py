"""Edges without sockets: what Imker says by SSH, to an Engine and to Slack goes straight into the simulations."""

import itertools
import shlex
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Self

import requests
from docker.api.client import APIClient
from requests.adapters import BaseAdapter
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from jobs.errors import Unreachable
from jobs.inventory import Host
from jobs.shell import Output
from lab.simulated import api
from lab.simulated.commands import typed
from lab.simulated.machine import Machine
from lab.slack import methods
from lab.slack.state import SlackRefuses, State

Machines = Callable[[], Mapping[str, Machine]]
_numbers = itertools.count(1)


class Wire:
    """A jobs.shell.Shell. `cut`: asked after each command whether the connection is lost just then: the host has heard,

    and nobody hears of it.
    """

    def __init__(self, host: Host, machines: Machines, cut: Callable[[], bool]) -> None:
        self.host = host.name
        self._machine = machines()[host.name]
        self._cut = cut
        self.reconnect()

    def reconnect(self) -> None:
        if not self._machine.up:
            raise Unreachable(f"{self.host} does not answer over SSH", host=self.host)
        self._source, self._boot = f"wire {next(_numbers)}", self._machine.booted

    def run(
        self,
        *argv: str,
        sudo: bool = False,
        stdin: str = "",
        check: bool = True,
        timeout: float = 60,
        under: tuple[str, ...] = (),
    ) -> Output:
        self._alive()
        line = shlex.join((*(("sudo", "-n", "--") if sudo else ()), *under, *argv))
        said = typed(self._machine, line, stdin, self._source)
        if self._cut():
            self._boot = 0.0
        self._alive()
        output = Output(said.code, said.out, said.err)
        return output.or_failed(self.host, argv[0]) if check else output

    def _alive(self) -> None:
        if not self._machine.up or self._boot != self._machine.booted:
            raise Unreachable(f"lost {self.host}, outcome not known", host=self.host)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


class _Adapter(BaseAdapter):
    """Of requests: an Engine's API as a function."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine, self._source = machine, f"engine {next(_numbers)}"

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        machine = self._machine
        if not machine.up or not machine.dockerd.tls:
            raise requests.ConnectionError("Connection refused")
        body = request.body or b""
        with machine.lock if request.method == "GET" else nullcontext():
            status, value = api.answered(
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
        """Nothing is open."""


def client(machines: Machines) -> Callable[[Host, str, float], APIClient]:
    """In the place of jobs.engine's own, which speaks TLS."""

    def made(host: Host, version: str, timeout: float) -> APIClient:
        api_client = APIClient(base_url="http://simulated:2376", version=version, timeout=int(timeout))
        api_client.mount("http://", _Adapter(machines()[host.name]))
        return api_client

    return made


class Clocked(State):
    """A workspace whose own clock goes with all others. `clock`: UNIX seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        super().__init__()

    def ts(self) -> str:
        self._last = max(self._clock(), self._last + 0.000001)
        return f"{self._last:.6f}"


class Slack(WebClient):
    """The lab's workspace, asked directly."""

    def __init__(self, state: State) -> None:
        super().__init__(token=state.app["bot_token"])
        self.state = state

    def api_call(self, api_method: str, *_: Any, **given: Any) -> Any:
        told = {**(given.get("params") or {}), **(given.get("data") or {}), **(given.get("json") or {})}
        arguments = {name: value for name, value in told.items() if value is not None}
        try:
            return methods.call(api_method, arguments, self.token or "", self.state)
        except SlackRefuses as refused:
            raise SlackApiError(api_method, {"ok": False, "error": refused.error, **refused.more}) from refused

    def files_upload_v2(self, **given: Any) -> Any:
        """slack_sdk's own goes over HTTP in the middle of it."""
        told = {"filename": given["filename"], "length": len(given["content"])}
        file = self.api_call("files.getUploadURLExternal", params=told)["file_id"]
        self.state.files[file]["content"] = given["content"].encode()
        where = {"channel_id": given["channel"], "thread_ts": given["thread_ts"], "files": [{"id": file}]}
        return self.api_call("files.completeUploadExternal", params=where)
