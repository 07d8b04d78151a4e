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

from imker import embedded_redis
from imker.config import ConfigError

KEY_VARIABLE, MIN_KEY_LENGTH = "IMKER_SIGNING_KEY", 32  # characters
GENERATE_KEY_HINT = "make one with: openssl rand -hex 32"


class SigningKey:
    """Prints as nothing that could be told."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def verify(self, text: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign(text).encode(), signature.encode(errors="surrogatepass"))


def sign_for(key: SigningKey, place: str, text: str) -> str:
    """The text with its signature before it, good only where it is put."""
    return f"{key.sign(_bind_to_place(place, text))} {text}"


def open_signed(key: SigningKey, place: str, signed_text: object) -> str | None:
    """What was sealed for this place; None for anything else."""
    if not isinstance(signed_text, bytes):
        return None
    signature, _, text = signed_text.decode(errors="replace").partition(" ")
    return text if key.verify(_bind_to_place(place, text), signature) else None


def _bind_to_place(place: str, text: str) -> str:
    return f"{place}\n{text}"


def load_signing_key(environment: Mapping[str, str] = os.environ) -> SigningKey:
    """Raises ConfigError in one line; OSError where the embedded server has no place."""
    problem = key_problem(environment)
    if problem:
        raise ConfigError([problem])
    return SigningKey(
        environment.get(KEY_VARIABLE, "").strip() or _read_or_create_key(embedded_redis.state_dir() / "signing.key")
    )


def key_problem(environment: Mapping[str, str]) -> str:
    """What is wrong with the key, in a line, "" for nothing."""
    key = environment.get(KEY_VARIABLE, "").strip()
    if not key and environment.get("REDIS_URL"):
        return (
            f"{KEY_VARIABLE}: missing; with REDIS_URL the bot, the reconciler and the RQ workers share one; "
            f"{GENERATE_KEY_HINT}"
        )
    if key and len(key) < MIN_KEY_LENGTH:
        return f"{KEY_VARIABLE}: too short; at least {MIN_KEY_LENGTH} characters; {GENERATE_KEY_HINT}"
    return ""


def _read_or_create_key(path: Path) -> str:
    """Whoever comes first makes it; it appears whole or not at all."""
    if not path.exists():
        new_path = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        new_path.touch(mode=0o600)
        new_path.write_text(secrets.token_hex(32))
        try:
            path.hardlink_to(new_path)
        except FileExistsError:
            pass
        finally:
            new_path.unlink()
    if path.stat().st_mode & 0o077:
        raise ConfigError([f"{path}: can be read by others; chmod 600 {path}, or delete it to have a new one made"])
    return path.read_text()
