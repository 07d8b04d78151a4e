"""Test the query for the Engine's package with a real apt and a repository in a folder."""

import subprocess
from pathlib import Path

import pytest

from jobs.connectors.shell import script
from jobs.facts.packages import Package
from jobs.gather.packages import CANDIDATES_SCRIPT, gather_package
from jobs.settings import AptComponent, EngineSection
from tests.support.local_shell import LocalShell
from tests.support.sections import empty_host

pytestmark = pytest.mark.processes

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


def dpkg_rows(**installed: tuple[str, str]) -> str:
    """Return the rows of dpkg-query. `installed`: package -> (dpkg state, version)."""
    packages = {name.replace("_", "-").replace("-io", ".io"): row for name, row in installed.items()}
    return "".join(
        sorted((f"{state} |{name}|{version}\n" for name, (state, version) in packages.items()), reverse=True)
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    entries = (
        ENTRY.format(name=name, version=version, digest="0" * 64) for name in OFFERED for version in OFFERED[name]
    )
    (folder / "Packages").write_text("\n".join(entries))
    return folder


def ask_candidates(rows: str, source: str, path: str = "/etc/apt/sources.list.d/docker.list", **how: object) -> Package:
    """Query this machine's apt, restricted to the repository."""
    settings = EngineSection(**{"apt_list": Path(path), **how})  # type: ignore[arg-type]
    matches = gather_package(LocalShell(), empty_host(packages=rows, apt_list=source), settings)
    assert matches is not None
    return matches


@pytest.mark.parametrize(("name", "text"), [("docker.list", ONE_LINE), ("docker.sources", DEB822)])
def test_queries_apt_with_both_list_formats(repository: Path, name: str, text: str) -> None:
    matches = ask_candidates(
        dpkg_rows(docker_io=("ii", "20.10.24+dfsg1-1")), text.format(repository), f"/etc/apt/sources.list.d/{name}"
    )
    assert matches == Package(
        "docker.io", "20.10.24+dfsg1-1", "ii", OFFERED["docker.io"], OFFERED["docker-cli"], cli_package="docker-cli"
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
def test_finds_downgrades_with_dpkg(repository: Path, installed: str, older: tuple[str, ...]) -> None:
    assert ask_candidates(dpkg_rows(docker_io=("ii", installed)), ONE_LINE.format(repository)).downgrades == older


def test_finds_the_separate_cli_package_of_docker_ce(repository: Path) -> None:
    matches = ask_candidates(dpkg_rows(docker_ce=("ii", "5:19.03.15~3-0~debian-buster")), ONE_LINE.format(repository))
    assert (matches.name, matches.cli_package, matches.cli_candidates) == (
        "docker-ce",
        "docker-ce-cli",
        OFFERED["docker-ce-cli"],
    )


def test_compares_a_replacement_package_with_the_installed_engine(repository: Path) -> None:
    """Versions are compared with the installed Engine, without their epoch."""
    matches = ask_candidates(
        dpkg_rows(docker_engine=("ii", "17.05.0~ce-0~debian")), ONE_LINE.format(repository), package="docker-ce"
    )
    assert (matches.name, matches.replaces, matches.installed_specs) == (
        "docker-ce",
        "docker-engine",
        ("docker-engine=17.05.0~ce-0~debian",),
    )
    assert (matches.candidates, matches.downgrades) == (OFFERED["docker-ce"], ())
    assert (
        ask_candidates(
            dpkg_rows(docker_io=("ii", "20.10.24")), ONE_LINE.format(repository), package="docker-ce"
        ).downgrades
        == (OFFERED["docker-ce"][1:])
    )


def test_recognizes_that_the_configured_package_is_installed(repository: Path) -> None:
    host = dpkg_rows(docker_engine=("rc", "1.11"), docker_ce=("iU", "5:27.3.1-1~debian.12~bookworm"))
    matches = ask_candidates(host, ONE_LINE.format(repository), package="docker-ce")
    assert (matches.name, matches.state, matches.replaces) == ("docker-ce", "iU", "")


@pytest.mark.parametrize("package_", [None, "docker-ce"])
def test_returns_no_package_without_an_engine(package_: str | None) -> None:
    sections = empty_host(packages=dpkg_rows(docker_io=("rc", "20.10")))
    assert gather_package(LocalShell(), sections, EngineSection(package=package_)) is None


def test_queries_the_configured_component(repository: Path) -> None:
    """The host's list has another component, which is replaced for the query only."""
    component = AptComponent(**{"from": "./", "to": "./no-such"})
    with pytest.raises(Exception, match="querying apt for Engine versions failed on kaditz"):
        ask_candidates(dpkg_rows(docker_io=("ii", "20.10.24")), ONE_LINE.format(repository), apt_component=component)


def test_leaves_no_temporary_files(repository: Path, tmp_path: Path) -> None:
    argv = script(CANDIDATES_SCRIPT, "docker.list", "20.10", "docker.io")
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, input=ONE_LINE.format(repository), text=True, check=True, capture_output=True, env=env)
    assert list(tmp_path.iterdir()) == []
