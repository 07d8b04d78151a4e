"""docker-machine's own file, cleaned: what belongs to the classic Swarm leaves, everything else stays."""

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
    assert (edit.path, edit.before) == ("config.json", text), "the copy is of what was there"
    return json.loads(edit.after)


@pytest.mark.parametrize("trace", LEFT, ids=[path[-1] for path, _ in LEFT])
def test_each_trace_of_the_classic_swarm_leaves(trace: tuple[tuple[str, ...], object]) -> None:
    assert cleaned(dirty(trace)) == CLEAN


@given(st.lists(st.sampled_from(LEFT), min_size=1, unique_by=lambda trace: trace[0]))
def test_all_of_them_leave_everything_else_and_its_order_stay_and_once_is_enough(traces: Any) -> None:
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
def test_where_nothing_of_it_is_nothing_is_written(text: str) -> None:
    assert cleanup_edit("config.json", text) is None


def test_what_is_not_cleaned_is_written_as_docker_machine_wrote_it() -> None:
    """Go's encoding/json: four spaces, no newline at the end, and its own escapes."""
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
def test_the_stores_that_it_names(text: str, urls: list[str]) -> None:
    assert list(parse_store_urls(text)) == urls


def test_no_key_is_added_that_the_file_did_not_have() -> None:
    """docker-machine of another age has others."""
    text = '{"HostOptions": {"SwarmOptions": {"Discovery": "consul://x"}}}'
    assert cleaned(text) == {"HostOptions": {"SwarmOptions": {"Discovery": ""}}}
