"""Build Imker's image on a real host, which has no network: its base, packages, and Docker Compose come from here."""

import shutil
import subprocess
import sys
from pathlib import Path

from lab.fleet import machine
from tests.e2e.support.deployment import run_on
from tests.e2e.support.image_base import COMPOSE_PLUGIN, fetched

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
    shutil.copy(fetched() / "base.tar", target / "base.tar")
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
    shutil.copy(fetched() / COMPOSE_PLUGIN, target)


def _download_wheels(folder: Path) -> None:
    words = ["pip", "download", "-q", "--no-deps", "--require-hashes", "-r", "constraints.txt", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", *words], check=True)
