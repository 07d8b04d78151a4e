"""The base that all hosts share, kept under a digest of its recipe: built once, and named when it is whole."""

import ast
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.fleet import cgroups, recipe
from lab.fleet.shell import CACHE, LabError, Say, remove, sh

NEEDED = ["debootstrap", "systemd-container", "dpkg-dev", "openssh-client", "iproute2", "iptables", "procps"]
TOOLS = ("debootstrap", "systemd-nspawn", "dpkg-scanpackages", "ssh-keygen", "ip", "iptables")


def ready(say: Say) -> Path:
    """The folder with `root/`, `repository/` and `image.tar`; built when its recipe changed."""
    install_tools(say)
    clear()
    folder = _folder()
    if not folder.exists():
        say("building the base once; this takes two minutes or three")
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True)
        recipe.build(unfinished, say)
        unfinished.rename(folder)
    return folder


def clear() -> None:
    """Ends what a killed build has left, and removes all but this recipe's base and those that hosts stand on."""
    cgroups.end(recipe.GROUP)
    cgroups.remove(recipe.GROUP)
    mounts = Path("/proc/self/mounts").read_text()
    for folder in useless(CACHE.glob("*"), _folder(), mounts):
        remove(folder)


def useless(folders: Iterable[Path], wanted: Path, mounts: str) -> list[Path]:
    """Those that are neither wanted nor the lower layer of a mount."""
    return [folder for folder in folders if folder != wanted and f"={folder}/root," not in mounts]


def digest(source: str) -> str:
    """Of a recipe as Python reads it: a comment changes nothing."""
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()[:12]


def _folder() -> Path:
    return CACHE / digest(Path(recipe.__file__).read_text())


def install_tools(say: Say) -> None:
    if all(map(shutil.which, TOOLS)):
        return
    if not shutil.which("apt-get"):
        raise LabError(f"missing, and no apt-get to install them: {' '.join(NEEDED)}")
    say(f"installing {' '.join(NEEDED)}")
    sh("apt-get", "-qq", "update")
    sh("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "-y", *NEEDED)
