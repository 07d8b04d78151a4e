"""Store the fencing token in a label of the swarm: the latest run that may change its nodes. Pure."""

from imker.text import one_line
from jobs.connectors.specs import Spec
from jobs.errors import BrokenFencingToken, Superseded
from jobs.locking.fencing_token import FencingToken

FENCE_LABEL = "imker.fence"


def with_token(token: FencingToken, spec: Spec) -> Spec:
    """Return the Spec with the token. Raise Superseded for a later token, BrokenFencingToken for an invalid one."""
    labels = spec.get("Labels") or {}
    current = FencingToken.parse(labels.get(FENCE_LABEL, ""))
    if current.broken:
        raise BrokenFencingToken("the swarm", labels[FENCE_LABEL], "swarm")
    if current.as_words != token.as_words and current.number >= token.number:
        raise Superseded("the swarm", current.number, current.run, current.since)
    return {**spec, "Labels": {**labels, FENCE_LABEL: " ".join(token.as_words)}}


def without_broken_token(removed: list[str], spec: Spec) -> Spec:
    """Return the Spec without an invalid token, whose text is appended to `removed`."""
    labels = dict(spec.get("Labels") or {})
    if not FencingToken.parse(labels.get(FENCE_LABEL, "")).broken:
        return spec
    removed.append(f"label {FENCE_LABEL} of the swarm: {one_line(labels.pop(FENCE_LABEL), 60)}")
    return {**spec, "Labels": labels}
