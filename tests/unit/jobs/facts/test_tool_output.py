import pytest

from jobs.connectors import systemd
from jobs.facts import containers, packages, swarm
from jobs.facts.containers import Container


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("26.1.5+dfsg1-9+b9", "26.1.5"),
        ("5:27.3.1-1~debian.12~bookworm", "27.3.1"),
        ("20.10.24+dfsg1", "20.10.24"),
        ("1.11.2-0~jessie", "1.11.2"),
        ("v1.12.0-rc4", "1.12.0"),
        ("29", "29"),
        ("", ""),
        ("dev", ""),
    ],
)
def test_parses_the_engine_version_of_a_package(version: str, upstream: str) -> None:
    assert packages.parse_engine_version(version) == upstream


def test_parses_madison_output() -> None:
    output = (
        " docker.io | 26.1.5+dfsg1-9 | http://198.18.0.1 bookworm/experimental amd64 Packages\n"
        " docker.io | 26.1.5+dfsg1-9 | http://198.18.0.1 bookworm/main amd64 Packages\n"
        " docker.io | 20.10.24 | http://198.18.0.1 bookworm/main amd64 Packages\n"
    )
    assert packages.parse_madison(output) == ("26.1.5+dfsg1-9", "20.10.24")
    assert packages.parse_madison("") == ()


def test_keeps_equals_signs_in_properties() -> None:
    assert systemd.parse_properties("A=b\nExecStart={ path=/usr/bin/dockerd ; argv[]=x }\nnonsense\n") == {
        "A": "b",
        "ExecStart": "{ path=/usr/bin/dockerd ; argv[]=x }",
    }


def test_joins_the_values_of_a_repeated_property() -> None:
    properties_text = "EnvironmentFiles=/a (ignore_errors=no)\nMainPID=7\nEnvironmentFiles=/b (ignore_errors=yes)\n"
    assert (
        systemd.parse_properties(properties_text)["EnvironmentFiles"] == "/a (ignore_errors=no)\n/b (ignore_errors=yes)"
    )


@pytest.mark.parametrize(
    ("inspected", "expected"),
    [
        ("[]", ()),
        ("", ()),
        ('[{"Name": "/web"}]', (Container("web", "", False, "no"),)),
        (
            '[{"Name": "/swarm-agent", "Config": {"Image": "swarm:1.2.3"}, "State": {"Running": true},'
            ' "HostConfig": {"RestartPolicy": {"Name": "always"}}, "NetworkSettings": {"Networks": {"bridge": {}}}}]',
            (Container("swarm-agent", "swarm:1.2.3", True, "always", ("bridge",)),),
        ),
        (
            '[{"Name": "/proxy", "Mounts": [{"Source": "/srv"}, {"Source": "/run/docker.sock", "Destination": "/s"}]}]',
            (Container("proxy", "", False, "no", mounts_docker_socket=True),),
        ),
        ('[{"Name": "/web.1.x", "Config": {"Labels": {"com.docker.swarm.task.id": "t"}}}]', ()),
        (
            '[{"Name": "/c", "Config": {"Cmd": ["agent"], "Labels": {"a": "b"}}, "HostConfig": {"PortBindings": {'
            '"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "0.0.0.0", "HostPort": "80"}], '
            '"53/udp": [{"HostIp": "", "HostPort": "53"}], "9/tcp": null}}}]',
            (
                Container(
                    "c",
                    "",
                    False,
                    "no",
                    (),
                    ("53->53/udp", "127.0.0.1:8080->80/tcp", "80->80/tcp"),
                    arguments=("agent",),
                ),
            ),
        ),
        (
            '[{"Name": "/c", "Config": {"ExposedPorts": {"8500/tcp": {}}},'
            ' "NetworkSettings": {"Networks": {"host": {}}}}]',
            (Container("c", "", False, "no", ("host",), ("8500/tcp",)),),
        ),
        ('[{"Name": "/c", "Config": {"ExposedPorts": {"8500/tcp": {}}}}]', (Container("c", "", False, "no"),)),
        (
            '[{"Name": "/proxy", "Mounts": [{"Type": "bind", "Source": "/var/run/", "Destination": "/host/run"}]}]',
            (Container("proxy", "", False, "no", mounts_docker_socket=True),),
        ),
        (
            '[{"Name": "/web", "Mounts": [{"Source": "/srv/run"}, {"Type": "tmpfs"}]}]',
            (Container("web", "", False, "no"),),
        ),
        (
            '[{"Name": "/x", "HostConfig": null, "State": null, "NetworkSettings": null}]',
            (Container("x", "", False, "no"),),
        ),
    ],
)
def test_parses_containers_with_missing_fields(inspected: str, expected: tuple[Container, ...]) -> None:
    assert containers.parse_containers(inspected) == expected


@pytest.mark.parametrize(
    "value", [{"ID": "a"}, {"ID": "a", "Spec": None, "Status": {}, "Description": None, "ManagerStatus": None}]
)
def test_parses_a_node_with_missing_fields(value: dict[str, object]) -> None:
    assert swarm.parse_node(value).id == "a"
    assert swarm.parse_node(value).pending is False


def test_parses_an_engine_outside_any_swarm() -> None:
    assert swarm.parse_membership({}).state == "inactive"
    assert swarm.parse_membership({"Swarm": {"LocalNodeState": ""}}).state == "inactive"
