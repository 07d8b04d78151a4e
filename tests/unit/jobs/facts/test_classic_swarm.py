"""Test how the classic Swarm's containers are recognized: agents by name and image, the store by its port."""

from dataclasses import replace

import pytest

from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.facts import classic_swarm
from jobs.facts.classic_swarm import StoreReferences
from jobs.facts.containers import Container
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmMembership
from jobs.inventory.model import Host

LAUSEN = Host("lausen", "192.168.10.6")
CONSUL = Container("consulnode01", "progrium/consul", True, "always", ("bridge",), ("8500->8500/tcp",))
OURS = "consul://192.168.10.6:8500"


@pytest.mark.parametrize(
    ("name", "image", "is_agent"),
    [
        ("swarm-agent", "swarm", True),
        ("swarm-agent", "swarm:1.2.9", True),
        ("swarm-agent-master", "library/swarm:latest", True),
        ("swarm-agent-master", "registry.lan:5000/dockerswarm/swarm:1.2", True),
        ("swarm-agent", "swarm@sha256:0011", True),
        ("swarm-agent", "jenkins/swarm-agent:3", False),
        ("swarm-agent", "portainer/agent", False),
        ("swarm", "swarm:1.2.9", False),
    ],
)
def test_recognizes_an_agent_by_name_and_image(name: str, image: str, is_agent: bool) -> None:
    assert classic_swarm.is_agent(Container(name, image, True, "always")) is is_agent


@pytest.mark.parametrize(
    ("url", "ends"),
    [
        (OURS, [("192.168.10.6", 8500)]),
        ("consul://lausen:8500/swarm/nodes", [("lausen", 8500)]),
        ("etcd://a:2379,b:4001/prefix", [("a", 2379), ("b", 4001)]),
        ("zk://a,b", [("a", 2181), ("b", 2181)]),
        ("consul://[fe80::6]:8500", [("fe80::6", 8500)]),
        ("token://4e1bd0", []),
        ("nodes://192.168.10.6:2375", []),
        ("consul://:8500", []),
        ("consul://a:port", []),
        ("", []),
    ],
)
def test_parses_the_endpoints_of_a_url(url: str, ends: list[tuple[str, int]]) -> None:
    assert list(classic_swarm.parse_endpoints(url)) == ends


@pytest.mark.parametrize(
    ("url", "port"),
    [
        (OURS, 8500),
        ("consul://lausen:8501", 8501),
        ("consul://lausen.example.org:8500", 8500),
        ("consul://192.168.10.64:8500", None),
        ("consul://1.192.168.10.6:8500", None),
        ("consul://lausen2:8500", None),
    ],
)
def test_matches_a_host_by_its_full_address_or_name(url: str, port: int | None) -> None:
    assert classic_swarm.ports_at_host((url,), LAUSEN) == ({port} if port else set())


EXPORTER = Container("aa", "prom/consul-exporter", True, "always", ("bridge",), ("9107->9107/tcp",))
STORES: list[tuple[str, tuple[Container, ...], str, bool]] = [
    ("published", (EXPORTER, CONSUL), OURS, True),
    ("another image", (replace(CONSUL, image="registry.lan/kv:3"),), OURS, True),
    ("another port outside", (replace(CONSUL, ports=("18500->8500/tcp",)),), "consul://lausen:18500", True),
    ("of the host's own network", (replace(CONSUL, networks=("host",), ports=("8500/tcp",)),), OURS, True),
    ("at its own address", (replace(CONSUL, ports=("192.168.10.6:8500->8500/tcp",)),), OURS, True),
    ("no host names it", (EXPORTER, CONSUL), "", False),
    ("another host is named", (CONSUL,), "consul://192.168.10.64:8500", False),
    ("another port is named", (CONSUL,), "consul://192.168.10.6:8501", False),
    ("on loopback alone", (replace(CONSUL, ports=("127.0.0.1:8500->8500/tcp",)),), OURS, False),
    ("UDP", (replace(CONSUL, ports=("8500->8500/udp",)),), OURS, False),
    ("an exporter alone", (EXPORTER,), OURS, False),
]


@pytest.mark.parametrize(
    ("containers", "url", "is_store"), [case[1:] for case in STORES], ids=[case[0] for case in STORES]
)
@pytest.mark.parametrize("when", ["current", "former"])
def test_recognizes_the_store_by_the_port_that_a_url_names(
    containers: tuple[Container, ...], url: str, is_store: bool, when: str
) -> None:
    naming = StoreReferences("tondi", **{when: (url,)})
    store = classic_swarm.match_store(LAUSEN, containers, (naming,))
    assert (store is not None) is is_store
    if store:
        assert store.container == containers[-1]
        assert store.users == (("tondi",) if when == "current" else ())


def test_prefers_the_running_store_over_an_old_one() -> None:
    old = replace(CONSUL, name="a-consul-of-old", running=False, restart_policy="no")
    store = classic_swarm.match_store(LAUSEN, (old, CONSUL), (StoreReferences("tondi", former=(OURS,)),))
    assert store
    assert (store.container, store.stopped) == (CONSUL, False)


def test_counts_an_unreachable_host_as_a_user_of_the_store() -> None:
    namings = (StoreReferences("tondi", former=(OURS,)), StoreReferences("away", unreachable=True))
    store = classic_swarm.match_store(LAUSEN, (CONSUL,), namings)
    assert store
    assert store.users == ("away",)


UNIT = UnitFacts("/etc/systemd/system/docker.service", (), ())
FLAG = "[Service]\nExecStart=/usr/bin/dockerd --cluster-store=consul://lausen:8500 --tlsverify\n"
CLEAN = "[Service]\nExecStart=/usr/bin/dockerd --tlsverify\n"
AGENT = Container(
    "x", "swarm:1.2.9", True, "always", arguments=("join", "--advertise", "a:2376", "consul://lausen:8500")
)
REFERENCES: dict[str, tuple[Host, HostFacts, bool, bool]] = {
    "docker-machine": (Host("t", store_urls=("consul://lausen:8500",)), HostFacts("t"), True, False),
    "docker-machine, before": (Host("t", former_store_urls=("consul://lausen:8500",)), HostFacts("t"), False, True),
    "its unit": (Host("t"), HostFacts("t", options=OptionFiles(UNIT, {UNIT.fragment_path: FLAG})), True, True),
    "the copy of its unit": (
        Host("t"),
        HostFacts("t", options=OptionFiles(UNIT, {UNIT.fragment_path: CLEAN}, (), {UNIT.fragment_path: FLAG})),
        False, True,
    ),
    "its daemon, not restarted since": (
        Host("t"), HostFacts("t", options=OptionFiles(UNIT, {}, ("dockerd", "--cluster-store", "consul://lausen:8500"))),
        True, False,
    ),
    "an agent by any name": (Host("t"), HostFacts("t", containers=(AGENT,)), True, False),
    "an application": (Host("t"), HostFacts("t", containers=(replace(AGENT, image="registrator"),)), False, False),
    "nothing": (Host("t"), HostFacts("t"), False, False),
}  # fmt: skip


@pytest.mark.parametrize("case", REFERENCES)
def test_finds_current_and_former_references(case: str) -> None:
    host, facts, now, before = REFERENCES[case]
    naming = classic_swarm.find_references(host, facts)
    assert (
        bool(classic_swarm.ports_at_host(naming.current, LAUSEN)),
        bool(classic_swarm.ports_at_host(naming.former, LAUSEN)),
    ) == (now, before)
    moved = classic_swarm.find_references(host, replace(facts, membership=SwarmMembership("active", "n")))
    assert moved.current == (), "in swarm mode no daemon and no agent needs it"
