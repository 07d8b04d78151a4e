"""Join tokens, one for workers and one for managers: made with the swarm, and what role one of them gives."""

import secrets

from lab.simulated.refusals import Refused

INVALID = "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"


def made() -> dict[str, str]:
    return {role: f"SWMTKN-1-{secrets.token_hex(25)}-{secrets.token_hex(12)}" for role in ("Worker", "Manager")}


def role_of(tokens: dict[str, str], token: str) -> str:
    """Raises Refused."""
    for role, known in tokens.items():
        if token == known:
            return role.lower()
    raise Refused(400, INVALID)
