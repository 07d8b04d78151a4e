"""The fencing number in a label of the swarm itself: the mark of the latest run that may change who is in it."""

from imker.text import one_line
from jobs.connectors.specs import Spec
from jobs.errors import BrokenFencingToken, Superseded
from jobs.locking.fencing_token import FencingToken

FENCE_LABEL = "imker.fence"


def with_token(mark: FencingToken, spec: Spec) -> Spec:
    """Return the Spec with the mark. Raise Superseded for a later one, BrokenFence for a number that none can have."""
    labels = spec.get("Labels") or {}
    there = FencingToken.parse(labels.get(FENCE_LABEL, ""))
    if there.broken:
        raise BrokenFencingToken("the swarm", labels[FENCE_LABEL], "swarm")
    if there.as_words != mark.as_words and there.number >= mark.number:
        raise Superseded("the swarm", there.number, there.run, there.since)
    return {**spec, "Labels": {**labels, FENCE_LABEL: " ".join(mark.as_words)}}


def without_broken_token(taken: list[str], spec: Spec) -> Spec:
    """Return the Spec without a broken number, which is added to `taken`."""
    labels = dict(spec.get("Labels") or {})
    if not FencingToken.parse(labels.get(FENCE_LABEL, "")).broken:
        return spec
    taken.append(f"label {FENCE_LABEL} of the swarm: {one_line(labels.pop(FENCE_LABEL), 60)}")
    return {**spec, "Labels": labels}
