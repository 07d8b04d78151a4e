"""The documented installation accepts only files with a hash in constraints.txt."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
PINS = dict(re.findall(r"^([\w.-]+)==((?:[^\n\\]|\\\n)+)", CONSTRAINTS, re.MULTILINE))
NOT_INSTALLED_WITH_IMKER = ("'imker[", "pip-tools", "cyclonedx-bom", "-q uv", "lowest-direct")
INSTALLS = {
    file: re.findall(r"pip install .*", (ROOT / file).read_text())
    for file in ("Makefile", "README.md", "docs/operating.md", "deploy/Dockerfile")
}


def swapped_wheel(folder: Path) -> None:
    """Put another file where the index has h11's wheel."""
    with zipfile.ZipFile(folder / "h11-0.16.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("h11/__init__.py", "raise SystemExit('owned')")
        wheel.writestr("h11-0.16.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: h11\nVersion: 0.16.0\n")
        wheel.writestr("h11-0.16.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("h11-0.16.0.dist-info/RECORD", "")


@pytest.mark.processes
def test_rejects_a_swapped_wheel(tmp_path: Path) -> None:
    swapped_wheel(tmp_path)
    (tmp_path / "h11.txt").write_text(f"h11=={PINS['h11']}\n")
    words = ["download", "--no-deps", "--no-index", "--find-links", str(tmp_path), "-r", str(tmp_path / "h11.txt")]
    argv = [sys.executable, "-m", "pip", *words, "-d", str(tmp_path / "taken")]
    completed = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path)
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in completed.stderr
    assert not list((tmp_path / "taken").glob("*"))


def test_every_pin_has_hashes() -> None:
    assert [name for name, rest in PINS.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}", rest)] == []


def test_names_no_package_index() -> None:
    assert not re.findall(r"://|index-url|find-links", CONSTRAINTS)


@pytest.mark.parametrize("file", INSTALLS)
def test_installs_only_verified_files(file: str) -> None:
    text = (ROOT / file).read_text()
    checked = [line for line in INSTALLS[file] if not any(word in line for word in NOT_INSTALLED_WITH_IMKER)]
    assert all("--no-index --find-links" in line for line in checked), checked
    assert text.count("pip download") == text.count("--require-hashes -r constraints.txt")


@pytest.mark.parametrize("python", ["3.11.2", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_pins_every_requirement(python: str, machine: str) -> None:
    """Debian 12 has Python 3.11.2, which needs one package more than 3.11.3."""
    about = {"python_full_version": python, "python_version": python.rpartition(".")[0], "platform_machine": machine}
    pinned = {canonicalize_name(name) for name in PINS}
    assert needed("imker", frozenset({"dev"}), about) - pinned == {"imker"}
    assert "setuptools" in pinned


def needed(name: str, extras: frozenset[str], about: dict[str, str]) -> set[str]:
    """Return the names of the package and of all that it requires."""
    closure: set[tuple[str, frozenset[str]]] = set()
    rest = {(name, extras)}
    while rest:
        closure |= rest
        rest = {dependency for package in rest for dependency in required(*package, about)} - closure
    return {package for package, _ in closure}


def required(name: str, extras: frozenset[str], about: dict[str, str]) -> set[tuple[str, frozenset[str]]]:
    try:
        lines = map(Requirement, requires(name) or ())
    except PackageNotFoundError:  # needed on another Python only
        return set()
    cases = [{**about, "extra": extra} for extra in extras | {""}]
    return {
        (canonicalize_name(line.name), frozenset(line.extras))
        for line in lines
        if not line.marker or any(map(line.marker.evaluate, cases))
    }
