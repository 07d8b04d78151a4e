"""Run services of deploy/compose.yaml on a real host, with the commands of docs/install.md."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.fleet import client_files
from lab.fleet.hosts import LabHost
from tests.e2e.support.deployment import run_on
from tests.e2e.support.image import IMAGE, VALKEY_IMAGE, copy_repository, root_of
from tests.e2e.support.image_base import COMPOSE_PLUGIN, fetched

KEYS = "/var/lib/imker"  # where compose.yaml mounts deploy/hosts
COMPOSE = ("docker", "compose", "--project-directory", "/srv/imker/deploy")
VALKEY_PORT = 6380  # on its host, whose containers publish 6379
PUBLISHED = f'services: {{valkey: {{networks: [redis, outside], ports: ["{VALKEY_PORT}:6379"]}}}}\n'
TOKENS = ("SLACK_BOT_TOKEN=xoxb-lab", "SLACK_APP_TOKEN=xapp-lab")


def install(host: str, archive: Path) -> Path:
    """Install the images, Docker Compose, and the repository on the host. Return its folder `deploy`."""
    shutil.copy(archive, root_of(host) / "srv/images.tar")
    run_on(host, "docker", "load", "-i", "/srv/images.tar")
    (root_of(host) / "srv/images.tar").unlink()
    plugin = root_of(host) / COMPOSE_PLUGIN
    plugin.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(fetched() / COMPOSE_PLUGIN, plugin)
    return copy_repository(host) / "deploy"


def configure(host: str, folder: Path, hosts: Iterable[LabHost]) -> None:
    """Write imker.toml, the key files of the hosts with paths as the containers see them, and the secrets."""
    keys = folder / "hosts"
    client_files.write_client_files(keys, hosts)
    for path in (keys / "imker.toml", *keys.rglob("config.json")):
        path.write_text(path.read_text().replace(str(keys), KEYS))
    (keys / "imker.toml").rename(folder / "imker.toml")
    run_on(host, "env", *TOKENS, "/srv/imker/deploy/create-secrets.sh")


def publish_valkey(folder: Path, address: str) -> None:
    """Let Valkey be reached at its host's address, and put that into the secrets."""
    (folder / "compose.override.yaml").write_text(PUBLISHED)
    for url in (folder / "secrets").glob("redis_url_*"):
        url.write_text(url.read_text().replace("valkey:6379", address))


def compose(host: str, *words: str, slack: str = "") -> str:
    """Run Docker Compose on the host. `slack`: the address of the fake Slack."""
    variables = (f"IMKER_IMAGE={IMAGE}", f"VALKEY_IMAGE={VALKEY_IMAGE}", f"SLACK_API_URL={slack}/api/")
    return run_on(host, "env", *variables, *COMPOSE, *words)


def inspect(host: str, service: str) -> dict[str, Any]:
    """Return what the Engine says about the service's container."""
    (details,) = json.loads(run_on(host, "docker", "inspect", f"imker-{service}-1"))
    return dict(details)
