"""Faults, outcomes, and durations as a table. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.chaos.users import ObservedRun

COLUMNS = ("fault", "times", "open runs", "done", "refused", "failed", "lost", "longest run")


@dataclass(frozen=True)
class InjectedFault:
    """A fault that hit `target` at `injected_at` (monotonic seconds).

    `affected_runs` are the IDs of the runs that were open then, for a host fault only those of its host.
    """

    fault: str
    target: str
    injected_at: float
    affected_runs: tuple[str, ...]


def render_table(hits: Sequence[InjectedFault], runs: Mapping[str, ObservedRun]) -> str:
    rows = [COLUMNS, *(_row(fault, hits, runs) for fault in sorted({hit.fault for hit in hits}))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n" + "\n".join(_line(row, widths) for row in rows)


def _row(fault: str, hits: Sequence[InjectedFault], runs: Mapping[str, ObservedRun]) -> tuple[str, ...]:
    hits_of_fault = [hit for hit in hits if hit.fault == fault]
    affected = [(hit, runs[run]) for hit in hits_of_fault for run in hit.affected_runs]
    outcome_counts = [
        sum(run.outcome == outcome for _, run in affected) for outcome in ("done", "refused", "failed", "lost")
    ]
    longest = max((run.ended_at - hit.injected_at for hit, run in affected if run.ended_at), default=0.0)
    return (fault, str(len(hits_of_fault)), str(len(affected)), *map(str, outcome_counts), f"{longest:.1f} s")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((first, *rest))
