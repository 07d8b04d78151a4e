"""Turn measurements into docs/performance.md. Pure."""

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figures:
    """Seconds, or other numbers, by what was measured.

    `failures`: what failed, and why, the latest reason of each; `rounds`: counted rounds on real hosts.
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    rounds: int = 0

    def add(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    def note_failure(self, name: str, reason: str) -> None:
        self.failures[name] = reason

    def median(self, name: str) -> float | None:
        """Return the median; None if nothing was measured."""
        return median(self.values[name]) if self.values.get(name) else None


@dataclass(frozen=True)
class Row:
    """A figure and its target. `per`: the figure that it is divided by; `plus`: added to the other one for a limit."""

    name: str
    limit: float
    per: str = ""
    unit: str = "s"
    plus: bool = False


# What Imker promises. Ratios are between measurements of one run.
TARGETS = (
    Row("one host, Imker", 1.15, per="one host, script"),
    Row("eight hosts, Imker, parallel = 8", 1.4, per="eight hosts, script"),
    Row("eight hosts, Imker, parallel = 2", 2.5, per="eight hosts, script"),
    Row("plan of eight hosts", 1.5),
    Row("/swarm hosts, eight hosts", 0.25),
    Row("/swarm nodes, eight hosts", 0.10),
    Row("one host, seven of eight dead, Imker", 3.0, per="one host, Imker", plus=True),
    Row("Engine's absence, Imker", 1.2, per="Engine's absence, bare restart"),
    Row("200 simulated hosts: /swarm hosts", 2.0),
    Row("200 simulated hosts: plan", 8.0),
    Row("200 simulated hosts: CPU per host", 0.5),
    Row("500 simulated hosts: posts in 2 s", 2, unit="posts"),
    Row("500 simulated hosts: edits in 2 s", 1, unit="edits"),
    Row("acknowledgement, 20 commands at once, p99", 0.1),
    Row("memory of all processes", 180, unit="MB"),
)
SCALE = (8, 50, 200, 500)  # simulated hosts


def render(figures: Figures, machine: str, method: str) -> str:
    """Return the document."""
    rows = [_table_row(row, figures) for row in TARGETS if figures.median(row.name) is not None]
    plots = [_plot(kind, figures) for kind in ("/swarm hosts", "plan", "CPU per host")]
    return "\n".join(
        (
            "# Performance",
            "",
            f"Measured by `make bench` on {machine}. {method}",
            "",
            "| figure | median | range | against | wanted | |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            *_tools_section(figures),
            *_failures_section(figures),
            *(["## As the fleet grows", "", *filter(None, plots)] if any(plots) else []),
        )
    )


TOOLS = {"script": "hand-written script", "pyinfra": "pyinfra", "Ansible": "Ansible (`raw` tasks, `strategy: free`)"}


def _tools_section(figures: Figures) -> list[str]:
    """Return how long each tool takes for one host and for eight, from its start until all nodes are ready."""
    times = {
        "Imker": (figures.median("one host, Imker"), figures.median("eight hosts, Imker, parallel = 8")),
        **{
            title: (figures.median(f"one host, {name}"), figures.median(f"eight hosts, {name}"))
            for name, title in TOOLS.items()
        },
    }
    rows = [f"| {name} | {_seconds(one)} | {_seconds(eight)} |" for name, (one, eight) in times.items() if one or eight]
    head = ["## Beside other tools", "", "| tool | one host | eight hosts |", "| --- | --- | --- |"]
    return [*head, *rows, ""] if rows else []


def _failures_section(figures: Figures) -> list[str]:
    failures = [f"- {name}: {reason}" for name, reason in figures.failures.items()]
    return ["## Failed measurements", "", *failures, ""] if failures else []


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _table_row(row: Row, figures: Figures) -> str:
    values = figures.values[row.name]
    value, other = median(values), figures.median(row.per)
    spread = f"{min(values):.2f}-{max(values):.2f}"
    against, wanted, is_met = "", f"{row.limit:g} {row.unit}", value <= row.limit
    if row.per and other:
        against = f"{row.per}: {other:.2f} {row.unit}, {value / other:.2f} x"
        wanted, is_met = f"{row.limit:g} x", value / other <= row.limit
        if row.plus:
            wanted, is_met = f"that + {row.limit:g} {row.unit}", value <= other + row.limit
    mark = "met" if is_met else "**missed**"
    return f"| {row.name} | {value:.2f} {row.unit} | {spread} | {against} | {wanted} | {mark} |"


def _plot(kind: str, figures: Figures) -> str:
    """Return a Mermaid chart of one figure by the number of hosts, "" without measurements."""
    points = [(size, figures.median(f"{size} simulated hosts: {kind}")) for size in SCALE]
    measured = [(size, value) for size, value in points if value is not None]
    if len(measured) < 2:
        return ""
    sizes = ", ".join(str(size) for size, _ in measured)
    values = ", ".join(f"{value:.2f}" for _, value in measured)
    return (
        f'```mermaid\nxychart-beta\n  title "{kind}, seconds"\n  x-axis "simulated hosts" [{sizes}]\n'
        f'  y-axis "s"\n  line [{values}]\n```\n'
    )
