"""Test a compromised host: slow data, floods, malformed answers, and redirects."""

import json
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.connectors.engine import Engine, Secret
from jobs.errors import EngineRefused, Unreachable
from jobs.inventory.model import Host
from tests.support import hostile_engine
from tests.support.hostile_engine import OK, Fleet, Serve, drips, floods, honest, says

pytestmark = pytest.mark.processes

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b" " * 2**20
DRIPS: dict[str, tuple[Serve, bool]] = {
    "the handshake": (drips(b"\x16\x03\x03", b"\x00"), False),
    "nothing at all": (drips(b"", b""), True),
    "the status line": (drips(b"HTTP/1.1 2", b"0"), True),
    "a header": (drips(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"), True),
    "many headers": (drips(b"HTTP/1.1 200 OK\r\n", b"X-More: a\r\n"), True),
    "one interim answer after another": (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), True),
    "a body of a known length": (drips(OK + b"Content-Length: 1000000\r\n\r\n{", b" "), True),
    "a body until the end": (drips(OK + b"\r\n{", b" "), True),
    "chunks": (drips(CHUNKED, b"1\r\n \r\n"), True),
    "trailers": (drips(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-More: a\r\n"), True),
    "the body of an error": (drips(b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n", b"a"), True),
}
FLOODS: dict[str, Serve] = {
    "a body of a known length": floods(OK + b"Content-Length: 1000000000000\r\n\r\n", MEGABYTE),
    "a body until the end": floods(OK + b"\r\n", MEGABYTE),
    "chunks": floods(CHUNKED, b"100000\r\n" + MEGABYTE + b"\r\n"),
    "the body of an error": floods(b"HTTP/1.1 500 No\r\n\r\n", MEGABYTE),
    "one header": floods(b"HTTP/1.1 200 OK\r\nX-Long: ", MEGABYTE),
    "many headers": floods(b"HTTP/1.1 200 OK\r\n", b"X-More: a\r\n" * 1000),
}
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
RUBBISH: dict[str, Serve] = {
    "no HTTP": floods(b"", b"\x00\xff rubbish\r\n"),
    "another status": says(b"{}", b"HTTP/1.1 999 Odd\r\nContent-Type: application/json\r\n"),
    "another protocol": says(b"{}", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\n"),
    "a page": says(b'{"Version": "26.1.5", "ApiVersion": "1.45"}', HTML),
    "no type": says(b"{}", b"HTTP/1.1 200 OK\r\n"),
    "no JSON": says(b"<html>"),
    "half a JSON": says(b'{"Version": "26'),
    "JSON in JSON in JSON": says(b"[" * 1_000_000),
    "an endless number": says(b'{"Version": ' + b"9" * 1_000_000 + b"}"),
    "bytes that are no text": says(b"\xff\xfe\x00"),
    "nothing": says(b""),
    "less than it says": hostile_engine.ends_early(OK + b"Content-Length: 100\r\n\r\n{}"),
    "a compressed body": says(zlib.compress(b" " * 50_000_000), OK + b"Content-Encoding: deflate\r\n"),
    "an API version that is a path": says(json.dumps({"Version": "1", "ApiVersion": "1.45/../x"}).encode()),
    "an API version without end": says(json.dumps({"Version": "1", "ApiVersion": "1." + "4" * 3000}).encode()),
}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with hostile_engine.fleet_in(tmp_path) as fleet:
        yield fleet


def test_reads_an_honest_engine(fleet: Fleet) -> None:
    engine = Engine(fleet.engine("tondi", honest("tondi", ("tondi",), manager=True)))
    assert engine.version["Version"] == "26.1.5"
    assert [node["ID"] for node in engine.nodes()] == ["idtondi"]
    assert engine.info()["Swarm"]["ControlAvailable"] is True
    assert engine.autolock() is False


@pytest.mark.parametrize("name", DRIPS)
def test_slow_data_does_not_extend_the_deadline(fleet: Fleet, name: str) -> None:
    serve, secured = DRIPS[name]
    host = fleet.engine("tondi", serve, secured=secured)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"tondi's Engine is unreachable at .*: timed out"):
        Engine(host, timeout=0.6)
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_data_does_not_fill_memory(fleet: Fleet, name: str) -> None:
    host = fleet.engine("tondi", FLOODS[name])
    tracemalloc.start()
    try:
        with pytest.raises(EngineRefused, match="tondi sent an invalid response: "):
            Engine(host, timeout=30)
        assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", RUBBISH)
def test_refuses_malformed_answers(fleet: Fleet, name: str) -> None:
    host = fleet.engine("tondi", RUBBISH[name])
    with pytest.raises(EngineRefused, match="tondi sent an invalid response") as refused:
        Engine(host, timeout=5)
    assert len(refused.value.summary) < 600


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", ["/version", "/swarm/join"])
def test_follows_no_redirect_to_another_host(fleet: Fleet, status: int, call: str) -> None:
    victim = fleet.engine("lausen", honest("lausen"))
    to = f"https://127.0.0.1:{victim.engine_port}/v1.45/swarm/leave?force=true"
    host = fleet.engine("tondi", honest("tondi", but={call: hostile_engine.redirects(status, to)}))
    with pytest.raises(EngineRefused, match=rf"a redirect \({status}\) to https://127\.0\.0\.1") as refused:
        _joined(host)
    assert "tondi" in refused.value.summary
    assert [line for line in fleet.requests if line.startswith("lausen")] == []


def _joined(host: Host) -> None:
    Engine(host, timeout=5).join("127.0.0.1", Secret("SWMTKN-1-a-b"), "active")


def test_follows_no_redirect_to_plain_http(fleet: Fleet) -> None:
    requests: list[str] = []
    plain = fleet.engine("inside", lambda spoken, _: requests.append("request"), secured=False)
    to = f"http://127.0.0.1:{plain.engine_port}/latest/meta-data/"
    host = fleet.engine("tondi", honest("tondi", but={"/version": hostile_engine.redirects(302, to)}))
    with pytest.raises(EngineRefused, match="a redirect"):
        Engine(host, timeout=5)
    assert requests == []
