"""Join tokens of the swarm: one for workers, one for managers."""

import secrets

from lab.simulated.engine_errors import EngineError

INVALID_TOKEN = "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"


def create_tokens() -> dict[str, str]:
    return {role: f"SWMTKN-1-{secrets.token_hex(25)}-{secrets.token_hex(12)}" for role in ("Worker", "Manager")}


def role_for_token(tokens: dict[str, str], token: str) -> str:
    """Return the role that a token gives. Raises EngineError for an invalid one."""
    for role, valid_token in tokens.items():
        if token == valid_token:
            return role.lower()
    raise EngineError(400, INVALID_TOKEN)
