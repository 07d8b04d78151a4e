"""Load the files with which Engines are verified, and with which they verify Imker."""

import hashlib
import ssl
import threading
from pathlib import Path

FILES = ("ca.pem", "cert.pem", "key.pem")
_contexts: dict[str, ssl.SSLContext] = {}  # by a digest of the files' contents
_lock = threading.Lock()


def tls_context(folder: Path) -> ssl.SSLContext:
    """Return the context of a host's client files. Hosts with the same files share one: loading a key takes 3 ms."""
    digest = " ".join(hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES)
    with _lock:
        if digest not in _contexts:
            _contexts[digest] = _load(folder)
        return _contexts[digest]


def _load(folder: Path) -> ssl.SSLContext:
    """Load the files. docker-machine's certificates lack the key IDs that STRICT wants."""
    ca, certificate, key = (folder / name for name in FILES)
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.load_cert_chain(certificate, key)
    return context
