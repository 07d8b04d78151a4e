"""Build Imker's image on a real host, which has no network: its base, its packages, and Docker Compose come from here.

The base is Debian with Python and Redis. It and Docker Compose are fetched once, from this machine's apt sources.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from lab.fleet import machine
from lab.fleet.base_recipe import _download, debian_mirror
from lab.fleet.shell import sh
from tests.e2e.support.deployment import run_on

CACHE = Path("/var/cache/imker-lab-image")
SUITE, PACKAGES = "bookworm", "python3-venv,redis-server"
COMPOSE_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
SOURCES = ("bot", "deploy", "docs", "imker", "imker_cli", "jobs", ".dockerignore", "LICENSE", "README.md")
PROJECT_FILES = ("constraints.txt", "pyproject.toml")
BASE_IMAGE, IMAGE, VALKEY_IMAGE = "python:lab", "imker", "valkey:lab"
ARGUMENTS = {"BASE": BASE_IMAGE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels"}
BUILD_TIMEOUT = 400  # seconds
VALKEY_DOCKERFILE = f"""\
FROM {BASE_IMAGE}
RUN ln -s /usr/bin/redis-server /usr/local/bin/valkey-server && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli \\
    && mkdir /data && chown 999:999 /data
"""


def root_of(host: str) -> Path:
    """Return the folder with the host's files on this machine."""
    return machine.disk_dir(host) / "root"


def copy_repository(host: str) -> Path:
    """Copy what one needs to build the image and to run compose.yaml to /srv/imker of the host, and return it."""
    target = root_of(host) / "srv/imker"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name in (*SOURCES, *PROJECT_FILES):
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy
        copy(name, target / name)
    return target


def build_images(host: str) -> None:
    """Build the image on the host from /srv/imker there, as its Dockerfile says, and one of Valkey."""
    target = root_of(host) / "srv/imker"
    _download_wheels(target / "wheels")
    shutil.copy(_base(), target / "base.tar")
    run_on(host, "docker", "import", "/srv/imker/base.tar", BASE_IMAGE)
    (target / "base.tar").unlink()
    build = ["docker", "build", "-t", IMAGE, "-f", "/srv/imker/deploy/Dockerfile"]
    arguments = [word for pair in ARGUMENTS.items() for word in ("--build-arg", "=".join(pair))]
    completed = machine.run_on_host(host, *build, *arguments, "/srv/imker", timeout=BUILD_TIMEOUT)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    run_on(host, "docker", "build", "-t", VALKEY_IMAGE, "-", stdin=VALKEY_DOCKERFILE)


def copy_images(source: str, host: str) -> None:
    """Copy both images from one host to another."""
    run_on(source, "docker", "save", "-o", "/srv/images.tar", IMAGE, VALKEY_IMAGE)
    shutil.copy(root_of(source) / "srv/images.tar", root_of(host) / "srv/images.tar")
    run_on(host, "docker", "load", "-i", "/srv/images.tar")
    (root_of(host) / "srv/images.tar").unlink()


def install_compose(host: str) -> None:
    """Install Docker Compose on the host."""
    target = root_of(host) / COMPOSE_PLUGIN
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_cache() / COMPOSE_PLUGIN, target)


def _download_wheels(folder: Path) -> None:
    words = ["pip", "download", "-q", "--no-deps", "--require-hashes", "-r", "constraints.txt", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", *words], check=True)


def _base() -> Path:
    return _cache() / "base.tar"


def _cache() -> Path:
    """Return the folder with the base and Docker Compose. Fetch them if this file has changed."""
    folder = CACHE / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    if not folder.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
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
    shutil.rmtree(folder / "root")
    _download(folder, "trixie", uri, keyring, ("docker-compose",), folder / "compose")
    (package,) = (folder / "compose").glob("*.deb")
    sh("dpkg-deb", "-x", package, folder)
    shutil.rmtree(folder / "apt")
