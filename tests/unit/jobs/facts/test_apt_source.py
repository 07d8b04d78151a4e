import pytest

from jobs.facts.apt_source import switch_component
from jobs.settings import AptComponent

TO_EXPERIMENTAL = AptComponent(**{"from": "main", "to": "experimental"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("deb https://h/repo debian-jessie main\n", "deb https://h/repo debian-jessie experimental\n"),
        ("deb [trusted=yes] http://h/main bookworm main\n", "deb [trusted=yes] http://h/main bookworm experimental\n"),
        ("deb http://h/ s main testing", "deb http://h/ s experimental testing"),
        ("# deb http://h/ s main\n", "# deb http://h/ s main\n"),
        ("deb http://h/ s experimental\n", "deb http://h/ s experimental\n"),
        ("deb http://h/ s main-extra\n", "deb http://h/ s main-extra\n"),
        (
            "Types: deb\nURIs: http://h/main\nSuites: main-s\nComponents: main\n",
            "Types: deb\nURIs: http://h/main\nSuites: main-s\nComponents: experimental\n",
        ),
        ("Types: deb\ncomponents:main contrib\n", "Types: deb\ncomponents:experimental contrib\n"),
        ("deb http://h/ s main\r\n", "deb http://h/ s experimental\r\n"),
        ("", ""),
    ],
)
def test_switches_only_the_component(before: str, after: str) -> None:
    assert switch_component(before, TO_EXPERIMENTAL) == after
    assert switch_component(after, TO_EXPERIMENTAL) == after


def test_keeps_the_source_without_a_configured_component() -> None:
    assert switch_component("deb http://h/ s main\n", None) == "deb http://h/ s main\n"
