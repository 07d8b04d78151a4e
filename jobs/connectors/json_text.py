"""Make documents from hosts safe to encode. Pure."""

import json
from typing import Any


def without_surrogates(document: Any) -> Any:
    """Replace lone surrogates, which JSON allows but UTF-8 cannot encode."""
    return json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
