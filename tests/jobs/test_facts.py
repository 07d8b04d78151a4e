import pytest

from jobs import facts
from jobs.facts import Container


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
def test_the_engines_own_version(version: str, upstream: str) -> None:
    assert facts.upstream(version) == upstream


def test_madison_newest_first_each_once() -> None:
    printed = (
        " docker.io | 26.1.5+dfsg1-9 | http://198.18.0.1 bookworm/experimental amd64 Packages\n"
        " docker.io | 26.1.5+dfsg1-9 | http://198.18.0.1 bookworm/main amd64 Packages\n"
        " docker.io | 20.10.24 | http://198.18.0.1 bookworm/main amd64 Packages\n"
    )
    assert facts.madison(printed) == ("26.1.5+dfsg1-9", "20.10.24")
    assert facts.madison("") == ()


def test_properties_keep_their_equals_signs() -> None:
    assert facts.properties("A=b\nExecStart={ path=/usr/bin/dockerd ; argv[]=x }\nnonsense\n") == {
        "A": "b",
        "ExecStart": "{ path=/usr/bin/dockerd ; argv[]=x }",
    }


def test_a_property_that_comes_again_has_a_line_for_each() -> None:
    shown = "EnvironmentFiles=/a (ignore_errors=no)\nMainPID=7\nEnvironmentFiles=/b (ignore_errors=yes)\n"
    assert facts.properties(shown)["EnvironmentFiles"] == "/a (ignore_errors=no)\n/b (ignore_errors=yes)"


@pytest.mark.parametrize(
    ("inspected", "wanted"),
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
            (Container("proxy", "", False, "no", drives=True),),
        ),
        ('[{"Name": "/web.1.x", "Config": {"Labels": {"com.docker.swarm.task.id": "t"}}}]', ()),
        (
            '[{"Name": "/c", "Config": {"Cmd": ["agent"], "Labels": {"a": "b"}}, "HostConfig": {"PortBindings": {'
            '"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "0.0.0.0", "HostPort": "80"}], '
            '"53/udp": [{"HostIp": "", "HostPort": "53"}], "9/tcp": null}}}]',
            (
                Container(
                    "c", "", False, "no", (), ("53->53/udp", "127.0.0.1:8080->80/tcp", "80->80/tcp"), command=("agent",)
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
            (Container("proxy", "", False, "no", drives=True),),
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
def test_containers_with_whatever_is_missing(inspected: str, wanted: tuple[Container, ...]) -> None:
    assert facts.containers(inspected) == wanted


@pytest.mark.parametrize(
    "seen", [{"ID": "a"}, {"ID": "a", "Spec": None, "Status": {}, "Description": None, "ManagerStatus": None}]
)
def test_a_node_of_which_little_is_known_is_still_a_row(seen: dict[str, object]) -> None:
    assert facts.node(seen).id == "a"
    assert facts.node(seen).pending is False


def test_an_engine_that_was_in_no_swarm() -> None:
    assert facts.place({}).state == "inactive"
    assert facts.place({"Swarm": {"LocalNodeState": ""}}).state == "inactive"
