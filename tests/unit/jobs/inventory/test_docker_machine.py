"""Check that cleaning docker-machine's file removes the classic Swarm and keeps everything else."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.inventory.docker_machine import cleanup_edit, parse_store_urls

CLEAN: dict[str, Any] = {
    "ConfigVersion": 3,
    "Driver": {"IPAddress": "198.18.0.73", "SSHUser": "geschke", "SwarmMaster": False, "SwarmDiscovery": ""},
    "DriverName": "generic",
    "HostOptions": {
        "EngineOptions": {"ArbitraryFlags": ["log-driver=json-file"], "Labels": ["instance=large"]},
        "SwarmOptions": {
            "IsSwarm": False, "Agent": False, "Master": False, "Discovery": "", "Strategy": "spread",
        },
        "AuthOptions": {"ServerCertSANs": []},
    },
    "Name": "tondi",
}  # fmt: skip
LEFT: list[tuple[tuple[str, ...], object]] = [
    (("HostOptions", "SwarmOptions", "IsSwarm"), True),
    (("HostOptions", "SwarmOptions", "Agent"), True),
    (("HostOptions", "SwarmOptions", "Master"), True),
    (("HostOptions", "SwarmOptions", "Discovery"), "consul://198.18.0.64:8500"),
    (("Driver", "SwarmMaster"), True),
    (("Driver", "SwarmDiscovery"), "consul://198.18.0.64:8500"),
    (
        ("HostOptions", "EngineOptions", "ArbitraryFlags"),
        [
            "cluster-store=consul://198.18.0.64:8500",
            "log-driver=json-file",
            "--cluster-advertise=eth0:2376",
            "cluster-store-opt kv.cacertfile=/etc/docker/ca.pem",
            "live-restore",
        ],
    ),
]


def dirty(*traces: tuple[tuple[str, ...], object]) -> str:
    document = copy.deepcopy(CLEAN)
    for path, value in traces:
        section = document
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = value
    return json.dumps(document)


def cleaned(text: str) -> Any:
    edit = cleanup_edit("config.json", text)
    assert edit is not None
    assert (edit.path, edit.before) == ("config.json", text), "the edit starts from the current text"
    return json.loads(edit.after)


@pytest.mark.parametrize("trace", LEFT, ids=[path[-1] for path, _ in LEFT])
def test_removes_each_trace_of_the_classic_swarm(trace: tuple[tuple[str, ...], object]) -> None:
    assert cleaned(dirty(trace)) == CLEAN


@given(st.lists(st.sampled_from(LEFT), min_size=1, unique_by=lambda trace: trace[0]))
def test_removes_all_traces_at_once_and_keeps_the_rest_in_order(traces: Any) -> None:
    after = cleaned(dirty(*traces))
    assert json.dumps(after) == json.dumps(CLEAN)
    assert cleanup_edit("config.json", json.dumps(after, indent=4)) is None


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CLEAN),
        '{"Name": "old", "ConfigVersion": 0}',
        '{"HostOptions": null, "Driver": null}',
        '{"HostOptions": {"SwarmOptions": null, "EngineOptions": {"ArbitraryFlags": null}}}',
        "[]",
        '"text"',
        "{",
        "",
    ],
)
def test_makes_no_edit_without_traces(text: str) -> None:
    assert cleanup_edit("config.json", text) is None


def test_keeps_the_rest_byte_for_byte() -> None:
    """Go's encoding/json indents by four spaces, ends without a newline, and has its own escapes."""
    trace = (("HostOptions", "SwarmOptions", "IsSwarm"), True)
    noted = (("Note",), "Zürich <ops@example.org> & \u2028")
    text = dirty(trace, noted)
    go = json.dumps(json.loads(text), indent=4, ensure_ascii=False)
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028")):
        go = go.replace(character, escaped)
    edit = cleanup_edit("config.json", go)
    assert edit is not None
    assert edit.after == go.replace('"IsSwarm": true', '"IsSwarm": false')


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (dirty(*LEFT), ["consul://198.18.0.64:8500"]),
        (dirty(LEFT[6]), ["consul://198.18.0.64:8500"]),
        (dirty((LEFT[6][0], ["--cluster-store consul://x"])), ["consul://x"]),
        (dirty((LEFT[6][0], ["cluster-store-opt=a"])), []),
        (dirty(), []),
        ('{"HostOptions": null}', []),
        ("[]", []),
        ("{", []),
    ],
)
def test_parses_the_store_urls(text: str, urls: list[str]) -> None:
    assert list(parse_store_urls(text)) == urls


def test_adds_no_key() -> None:
    """Other versions of docker-machine have other keys."""
    text = '{"HostOptions": {"SwarmOptions": {"Discovery": "consul://x"}}}'
    assert cleaned(text) == {"HostOptions": {"SwarmOptions": {"Discovery": ""}}}
