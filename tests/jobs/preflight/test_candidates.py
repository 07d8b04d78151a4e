"""What apt would offer, asked of a real apt over a repository in a folder, and the package that comes of it."""

import subprocess
from pathlib import Path

import pytest

from jobs.facts import Package
from jobs.preflight.candidates import CANDIDATES, package
from jobs.settings import Component, EngineSection
from jobs.shell import Output

OFFERED = {
    "docker.io": ("26.1.5+dfsg1-9", "20.10.24+dfsg1-1"),
    "docker-cli": ("26.1.5+dfsg1-9",),
    "docker-ce": ("5:27.3.1-1~debian.12~bookworm", "5:19.03.15~3-0~debian-buster"),
    "docker-ce-cli": ("5:27.3.1-1~debian.12~bookworm",),
}
ENTRY = """Package: {name}
Version: {version}
Architecture: all
Filename: ./{name}_{version}.deb
Size: 1
SHA256: {digest}
"""
ONE_LINE, DEB822 = "deb [trusted=yes] file:{0} ./\n", "Types: deb\nURIs: file:{0}\nSuites: ./\nTrusted: yes\n"


class Host:
    """`installed`: package -> (dpkg's state, version); apt is this machine's, over the repository alone."""

    host = "kaditz"

    def __init__(self, **installed: tuple[str, str]) -> None:
        self.installed = {name.replace("_", "-").replace("-io", ".io"): row for name, row in installed.items()}

    def run(self, *argv: str, stdin: str = "", **_: object) -> Output:
        if argv[0] == "dpkg-query":
            rows = (f"{state} |{name}|{version}\n" for name, (state, version) in self.installed.items())
            return Output(0, "".join(sorted(rows, reverse=True)), "")
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60)
        return Output(done.returncode, done.stdout, done.stderr).or_failed(self.host, argv[0])

    def reconnect(self) -> None:
        raise AssertionError("nothing was lost")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    entries = (
        ENTRY.format(name=name, version=version, digest="0" * 64) for name in OFFERED for version in OFFERED[name]
    )
    (folder / "Packages").write_text("\n".join(entries))
    return folder


def asked(host: Host, source: str, path: str = "/etc/apt/sources.list.d/docker.list", **how: object) -> Package:
    found = package(host, source, EngineSection(**{"apt_list": Path(path), **how}))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "text"), [("docker.list", ONE_LINE), ("docker.sources", DEB822)])
def test_apt_is_asked_in_either_way_of_writing_a_list(repository: Path, name: str, text: str) -> None:
    found = asked(
        Host(docker_io=("ii", "20.10.24+dfsg1-1")), text.format(repository), f"/etc/apt/sources.list.d/{name}"
    )
    assert found == Package(
        "docker.io", "20.10.24+dfsg1-1", "ii", OFFERED["docker.io"], OFFERED["docker-cli"], cli="docker-cli"
    )


@pytest.mark.parametrize(
    ("installed", "older"),
    [
        ("27.5.1-1", OFFERED["docker.io"]),
        ("26.1.5+dfsg1-9+deb13u1", OFFERED["docker.io"]),
        ("26.1.5+dfsg1-9", OFFERED["docker.io"][1:]),
        ("20.10.24~rc1-1", ()),
    ],
)
def test_what_is_older_than_the_installed_one_dpkg_says(
    repository: Path, installed: str, older: tuple[str, ...]
) -> None:
    assert asked(Host(docker_io=("ii", installed)), ONE_LINE.format(repository)).older == older


def test_dockers_own_package_has_a_cli_of_its_own(repository: Path) -> None:
    found = asked(Host(docker_ce=("ii", "5:19.03.15~3-0~debian-buster")), ONE_LINE.format(repository))
    assert (found.name, found.cli, found.cli_candidates) == ("docker-ce", "docker-ce-cli", OFFERED["docker-ce-cli"])


def test_a_package_that_is_to_take_anothers_place(repository: Path) -> None:
    """Its versions are held against the Engine that is there, whatever epoch it has."""
    found = asked(Host(docker_engine=("ii", "17.05.0~ce-0~debian")), ONE_LINE.format(repository), package="docker-ce")
    assert (found.name, found.present, found.old) == ("docker-ce", "docker-engine", "docker-engine=17.05.0~ce-0~debian")
    assert (found.candidates, found.older) == (OFFERED["docker-ce"], ())
    assert (
        asked(Host(docker_io=("ii", "20.10.24")), ONE_LINE.format(repository), package="docker-ce").older
        == (OFFERED["docker-ce"][1:])
    )


def test_the_wanted_one_is_there_already(repository: Path) -> None:
    host = Host(docker_engine=("rc", "1.11"), docker_ce=("iU", "5:27.3.1-1~debian.12~bookworm"))
    found = asked(host, ONE_LINE.format(repository), package="docker-ce")
    assert (found.name, found.state, found.present) == ("docker-ce", "iU", "")


@pytest.mark.parametrize("package_", [None, "docker-ce"])
def test_a_host_without_an_engine_has_no_package(package_: str | None) -> None:
    assert package(Host(docker_io=("rc", "20.10")), "", EngineSection(package=package_)) is None


def test_the_wanted_component_is_what_is_asked_for(repository: Path) -> None:
    """The host's own list says another; its text is what is changed for the question."""
    component = Component(**{"from": "./", "to": "./no-such"})
    with pytest.raises(Exception, match="asking apt for the new Engine failed on kaditz"):
        asked(Host(docker_io=("ii", "20.10.24")), ONE_LINE.format(repository), apt_component=component)


def test_nothing_is_left_behind(repository: Path, tmp_path: Path) -> None:
    argv = ("sh", "-c", CANDIDATES, "imker", "docker.list", "20.10", "docker.io")
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, input=ONE_LINE.format(repository), text=True, check=True, capture_output=True, env=env)
    assert list(tmp_path.iterdir()) == []
