"""Fetch what a host needs to build and run Imker's image, once, from this machine's apt sources.

The base is Debian with Python and Redis. A digest of this file names what was fetched.
"""

import hashlib
import shutil
from pathlib import Path

from lab.fleet.base_recipe import _download, debian_mirror
from lab.fleet.shell import remove_tree, sh

CACHE = Path("/var/cache/imker-lab-image")
SUITE, PACKAGES = "bookworm", "python3-venv,redis-server"
COMPOSE_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"


def fetched() -> Path:
    """Return the folder with the base and Docker Compose. Fetch them if this file has changed."""
    folder = CACHE / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    if not folder.exists():
        remove_tree(CACHE)
        unfinished = CACHE / "unfinished"
        unfinished.mkdir(parents=True)
        _fetch(unfinished)
        unfinished.rename(folder)
    return folder


def _fetch(folder: Path) -> None:
    uri, keyring = debian_mirror()
    debootstrap = ["debootstrap", "--variant=minbase", f"--keyring={keyring}", f"--include={PACKAGES}"]
    sh(*debootstrap, SUITE, folder / "root", uri)
    sh("tar", "-C", folder / "root", "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*",
       "--exclude=./usr/share/doc/*", "--exclude=./usr/share/locale/*", "-cf", folder / "base.tar", ".")  # fmt: skip
    remove_tree(folder / "root")
    _download(folder, "trixie", uri, keyring, ("docker-compose",), folder / "compose")
    (package,) = (folder / "compose").glob("*.deb")
    sh("dpkg-deb", "-x", package, folder)
    shutil.rmtree(folder / "apt")
