"""Faults, outcomes and times as a table. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.chaos.people import Run

COLUMNS = ("fault", "times", "runs under way", "done", "refused", "failed", "lost", "longest until over")


@dataclass(frozen=True)
class Hit:
    """A fault that hit `what` at `at` (monotonic), and the IDs of the runs that it could disturb: those under way then,

    on that host if it was a host's.
    """

    fault: str
    what: str
    at: float
    runs: tuple[str, ...]


def table(hits: Sequence[Hit], runs: Mapping[str, Run]) -> str:
    rows = [COLUMNS, *(_row(fault, hits, runs) for fault in sorted({hit.fault for hit in hits}))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n" + "\n".join(_line(row, widths) for row in rows)


def _row(fault: str, hits: Sequence[Hit], runs: Mapping[str, Run]) -> tuple[str, ...]:
    own = [hit for hit in hits if hit.fault == fault]
    met = [(hit, runs[run]) for hit in own for run in hit.runs]
    ends = [sum(run.outcome == outcome for _, run in met) for outcome in ("done", "refused", "failed", "lost")]
    longest = max((run.ended - hit.at for hit, run in met if run.ended), default=0.0)
    return (fault, str(len(own)), str(len(met)), *map(str, ends), f"{longest:.1f} s")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((first, *others))
