"""The fencing number in a label of the swarm itself: the mark of the latest run that may change who is in it."""

from imker.text import one_line
from jobs.errors import BrokenFence, Superseded
from jobs.lock import Mark
from jobs.specs import Spec

FENCE = "imker.fence"


def marked(mark: Mark, spec: Spec) -> Spec:
    """Return the Spec with the mark. Raise Superseded for a later one, BrokenFence for a number that none can have."""
    labels = spec.get("Labels") or {}
    there = Mark.of(labels.get(FENCE, ""))
    if there.broken:
        raise BrokenFence("the swarm", labels[FENCE], "swarm")
    if there.words != mark.words and there.number >= mark.number:
        raise Superseded("the swarm", there.number, there.run, there.since)
    return {**spec, "Labels": {**labels, FENCE: " ".join(mark.words)}}


def unmarked(taken: list[str], spec: Spec) -> Spec:
    """Return the Spec without a broken number, which is added to `taken`."""
    labels = dict(spec.get("Labels") or {})
    if not Mark.of(labels.get(FENCE, "")).broken:
        return spec
    taken.append(f"label {FENCE} of the swarm: {one_line(labels.pop(FENCE), 60)}")
    return {**spec, "Labels": labels}
