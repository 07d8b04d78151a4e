"""Share one TLS context among all requests to Slack: loading the CA certificates takes 40 ms of processor time."""

import ssl
from functools import cache


def context_for(url: str) -> ssl.SSLContext | None:
    """Return the context for requests to this address, None if it has no TLS."""
    return _context() if url.startswith("https:") else None


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
