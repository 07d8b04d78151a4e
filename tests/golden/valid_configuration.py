"""Provide a valid configuration for command lines."""

from pathlib import Path

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def write_key_files(folder: Path) -> None:
    """Create the files that the configuration names."""
    (folder / "known_hosts").touch()
    for name in ("key", "ca.pem", "cert.pem", "key.pem"):
        (folder / name).touch(mode=0o600)
    (folder / "store/machines/tondi").mkdir(parents=True)
