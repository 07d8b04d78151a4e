"""Build Imker's image on a real host, which has no network: its base, packages, and Docker Compose come from here."""

import shutil
import subprocess
import sys
from pathlib import Path

from lab.fleet import machine
from tests.e2e.support.deployment import run_on
from tests.e2e.support.image_base import fetched

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


def build_images(host: str, archive: Path) -> None:
    """Build Imker's image on the host as its Dockerfile says, and one of Valkey, and save both to a file."""
    folder = copy_repository(host)
    _download_wheels(folder / "wheels")
    shutil.copy(fetched() / "base.tar", folder / "base.tar")
    run_on(host, "docker", "import", "/srv/imker/base.tar", BASE_IMAGE)
    (folder / "base.tar").unlink()
    arguments = [word for pair in ARGUMENTS.items() for word in ("--build-arg", "=".join(pair))]
    build = ["docker", "build", "-t", IMAGE, "-f", "/srv/imker/deploy/Dockerfile", *arguments, "/srv/imker"]
    completed = machine.run_on_host(host, *build, timeout=BUILD_TIMEOUT)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    run_on(host, "docker", "build", "-t", VALKEY_IMAGE, "-", stdin=VALKEY_DOCKERFILE)
    run_on(host, "docker", "save", "-o", "/srv/images.tar", IMAGE, VALKEY_IMAGE)
    shutil.move(root_of(host) / "srv/images.tar", archive)


def copy_repository(host: str) -> Path:
    """Copy the files that the image is built from, and deploy, to /srv/imker of the host, and return that folder."""
    folder = root_of(host) / "srv/imker"
    folder.mkdir()
    for name in (*SOURCES, *PROJECT_FILES):
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy
        copy(name, folder / name)
    return folder


def _download_wheels(folder: Path) -> None:
    words = ["pip", "download", "-q", "--no-deps", "--require-hashes", "-r", "constraints.txt", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", *words], check=True)
