"""The document shows each measured figure, its ratio, and whether it meets its target."""

import subprocess
from pathlib import Path

import pytest

from bench.report import Figures, render


def document(**values: list[float]) -> str:
    names = {"one": "one host, Imker", "script": "one host, script", "dead": "one host, seven of eight dead, Imker"}
    return render(Figures({names.get(name, name): numbers for name, numbers in values.items()}), "2 cores", "Method.")


@pytest.mark.parametrize(
    ("durations", "mark"), [([4.0, 4.5, 9.0], "met"), ([4.7, 4.7, 4.7], "**missed**"), ([4.6], "met")]
)
def test_compares_the_median_with_the_script(durations: list[float], mark: str) -> None:
    row = next(
        line for line in document(one=durations, script=[4.0]).splitlines() if line.startswith("| one host, Imker")
    )
    assert row.endswith(f"| 1.15 x | {mark} |")


@pytest.mark.parametrize(("dead", "mark"), [([7.4], "met"), ([7.6], "**missed**")])
def test_allows_seconds_on_top_of_another_figure(dead: list[float], mark: str) -> None:
    lines = document(one=[4.5], script=[4.0], dead=dead).splitlines()
    assert next(line for line in lines if "seven of eight" in line).endswith(f"| that + 3 s | {mark} |")


def test_leaves_out_what_was_not_measured() -> None:
    assert "| eight hosts, Imker" not in document(one=[4.0], script=[4.0])


def test_plots_a_figure_by_the_number_of_hosts() -> None:
    figures = Figures({"8 simulated hosts: plan": [0.5], "50 simulated hosts: plan": [2.0, 4.0, 3.0]})
    assert 'x-axis "simulated hosts" [8, 50]' in render(figures, "", "")
    assert "line [0.50, 3.00]" in render(figures, "", "")


def test_compares_the_tools() -> None:
    figures = Figures({"one host, pyinfra": [6.0, 7.0, 6.5], "eight hosts, pyinfra": [16.0], "one host, Imker": [5.0]})
    lines = render(figures, "", "").splitlines()
    assert "| pyinfra | 6.5 s | 16.0 s |" in lines
    assert "| Imker | 5.0 s |  |" in lines
    assert not any(line.startswith("| Ansible") for line in lines)


def test_shows_what_failed() -> None:
    figures = Figures({"one host, Imker": [4.0]})
    assert "Failed" not in render(figures, "", "")
    figures.note_failure("eight hosts, Imker", "the swarm was not ready")
    assert "- eight hosts, Imker: the swarm was not ready" in render(figures, "", "").splitlines()


@pytest.mark.processes
def test_shell_accepts_the_script() -> None:
    script = Path(__file__).parents[3] / "bench/migrate.sh"
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
