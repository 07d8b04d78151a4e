"""The bot signs what it asks of the RQ workers; they do nothing that is not signed. Redis never sees the key.

In: a text and the key. Out: its signature, or whether one is right. The key is IMKER_SIGNING_KEY; without it, and with
the embedded Redis, all processes of this machine share one in that server's private folder.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from imker import embedded
from imker.config import ConfigError

VARIABLE, SHORTEST = "IMKER_SIGNING_KEY", 32  # characters
MAKE = "make one with: openssl rand -hex 32"


class Key:
    """Prints as nothing that could be told."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def signed(self, text: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign(text).encode(), signature.encode(errors="surrogatepass"))


def seal(key: Key, place: str, text: str) -> str:
    """The text with its signature before it, good only where it is put."""
    return f"{key.sign(_placed(place, text))} {text}"


def opened(key: Key, place: str, sealed: object) -> str | None:
    """What was sealed for this place; None for anything else."""
    if not isinstance(sealed, bytes):
        return None
    signature, _, text = sealed.decode(errors="replace").partition(" ")
    return text if key.signed(_placed(place, text), signature) else None


def _placed(place: str, text: str) -> str:
    return f"{place}\n{text}"


def load(environment: Mapping[str, str] = os.environ) -> Key:
    """Raises ConfigError in one line; OSError where the embedded server has no place."""
    problem = trouble(environment)
    if problem:
        raise ConfigError([problem])
    return Key(environment.get(VARIABLE, "").strip() or _kept(embedded.home() / "signing.key"))


def trouble(environment: Mapping[str, str]) -> str:
    """What is wrong with the key, in a line, "" for nothing."""
    key = environment.get(VARIABLE, "").strip()
    if not key and environment.get("REDIS_URL"):
        return f"{VARIABLE}: missing; with REDIS_URL the bot, the reporter and the RQ workers share one; {MAKE}"
    if key and len(key) < SHORTEST:
        return f"{VARIABLE}: too short; at least {SHORTEST} characters; {MAKE}"
    return ""


def _kept(path: Path) -> str:
    """Whoever comes first makes it; it appears whole or not at all."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise ConfigError([f"{path}: can be read by others; chmod 600 {path}, or delete it to have a new one made"])
    return path.read_text()
