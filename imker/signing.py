"""Sign texts and verify signatures with HMAC-SHA256. RQ workers process signed jobs only. Redis never sees the key.

The key is IMKER_SIGNING_KEY. "NEW,OLD" are two keys: NEW signs, and signatures of both are valid, so that a key can be
replaced while runs are open. With the embedded Redis it may be unset: the processes of this machine then share a key
file in that server's private folder.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from imker import embedded_redis
from imker.config import ConfigError
from imker.secret_files import read_secret

KEY_VARIABLE, MIN_KEY_LENGTH = "IMKER_SIGNING_KEY", 32  # characters
GENERATE_KEY_HINT = "generate one with: openssl rand -hex 32"


class SigningKey:
    """The HMAC key, and `former_secrets`, whose signatures are also valid. Its repr shows no secret."""

    def __init__(self, secret: str, *former_secrets: str) -> None:
        self._secrets = [text.encode() for text in (secret, *former_secrets)]

    def sign(self, text: str) -> str:
        """Return the signature in hex."""
        return _hmac(self._secrets[0], text)

    def verify(self, text: str, signature: str) -> bool:
        """Return whether the signature is valid, in constant time."""
        expected = signature.encode(errors="surrogatepass")
        matches = [hmac.compare_digest(_hmac(secret, text).encode(), expected) for secret in self._secrets]
        return any(matches)


def _hmac(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def sign_for(key: SigningKey, place: str, text: str) -> str:
    """Return the signature and the text. The signature is valid for this place only, usually a Redis key."""
    return f"{key.sign(_bind_to_place(place, text))} {text}"


def open_signed(key: SigningKey, place: str, signed_text: object) -> str | None:
    """Return the text if its signature is valid for this place, else None. `signed_text`: bytes from Redis."""
    if not isinstance(signed_text, bytes):
        return None
    signature, _, text = signed_text.decode(errors="replace").partition(" ")
    return text if key.verify(_bind_to_place(place, text), signature) else None


def _bind_to_place(place: str, text: str) -> str:
    return f"{place}\n{text}"


def load_signing_key(environment: Mapping[str, str] = os.environ) -> SigningKey:
    """Return the key. Raises ConfigError, and OSError if the state folder cannot be used."""
    problem = key_problem(environment)
    if problem:
        raise ConfigError([problem])
    keys = _split_keys(read_secret(KEY_VARIABLE, environment))
    return SigningKey(*keys or [_read_or_create_key(embedded_redis.state_dir() / "signing.key")])


def key_problem(environment: Mapping[str, str]) -> str:
    """Return what is wrong with IMKER_SIGNING_KEY in one line, "" if it is valid or cannot be read."""
    try:
        keys = _split_keys(read_secret(KEY_VARIABLE, environment))
        has_redis_url = bool(read_secret("REDIS_URL", environment))
    except ConfigError:  # a problem of `read_secrets`
        return ""
    if not keys and has_redis_url:
        return (
            f"{KEY_VARIABLE}: missing; with REDIS_URL the bot, the reconciler, and the RQ workers need the same key; "
            f"{GENERATE_KEY_HINT}"
        )
    if any(len(key) < MIN_KEY_LENGTH for key in keys):
        each = " each, in NEW,OLD" if len(keys) > 1 else ""
        return f"{KEY_VARIABLE}: too short; at least {MIN_KEY_LENGTH} characters{each}; {GENERATE_KEY_HINT}"
    return ""


def _split_keys(text: str) -> list[str]:
    """Return the keys of "NEW,OLD", the one that signs first."""
    return [key.strip() for key in text.split(",")] if text.strip() else []


def _read_or_create_key(path: Path) -> str:
    """Read the key file, and create it first if it is missing. The file appears complete or not at all."""
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
        raise ConfigError([f"{path}: can be read by others; run chmod 600 {path}, or delete it to generate a new one"])
    return path.read_text()
