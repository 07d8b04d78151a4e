"""The base that all hosts share, built once and named by a digest of its recipe."""

import ast
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.fleet import base_recipe, cgroups
from lab.fleet.shell import CACHE_DIR, LabError, Say, remove_tree, sh

REQUIRED_PACKAGES = ["debootstrap", "systemd-container", "dpkg-dev", "openssh-client", "iproute2", "iptables", "procps"]
REQUIRED_TOOLS = ("debootstrap", "systemd-nspawn", "dpkg-scanpackages", "ssh-keygen", "ip", "iptables")


def ensure_base(say: Say) -> Path:
    """Return the folder with `root/`, `repository/`, and `image.tar`. Build it if the recipe has changed."""
    install_tools(say)
    remove_unused_bases()
    folder = _base_folder()
    if not folder.exists():
        say("building the base image once; this takes two to three minutes")
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True)
        base_recipe.build_base(unfinished, say)
        unfinished.rename(folder)
    return folder


def remove_unused_bases() -> None:
    """Remove what a killed build left, and all bases but this recipe's and those that hosts use."""
    cgroups.kill_group(base_recipe.GROUP)
    cgroups.remove_group(base_recipe.GROUP)
    mounts = Path("/proc/self/mounts").read_text()
    for folder in unused_bases(CACHE_DIR.glob("*"), _base_folder(), mounts):
        remove_tree(folder)


def unused_bases(folders: Iterable[Path], current: Path, mounts: str) -> list[Path]:
    """Return the bases that are neither wanted nor the lower layer of a mount."""
    return [folder for folder in folders if folder != current and f"={folder}/root," not in mounts]


def recipe_digest(source: str) -> str:
    """Return a digest of the recipe that comments do not change."""
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()[:12]


def _base_folder() -> Path:
    return CACHE_DIR / recipe_digest(Path(base_recipe.__file__).read_text())


def install_tools(say: Say) -> None:
    if all(map(shutil.which, REQUIRED_TOOLS)):
        return
    if not shutil.which("apt-get"):
        raise LabError(f"missing packages, and no apt-get to install them: {' '.join(REQUIRED_PACKAGES)}")
    say(f"installing {' '.join(REQUIRED_PACKAGES)}")
    sh("apt-get", "-qq", "update")
    sh("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "-y", *REQUIRED_PACKAGES)
