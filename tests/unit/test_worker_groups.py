"""Tests that share something run on one pytest worker."""

import pytest

from tests.support.worker_groups import group_of


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/e2e/test_lab.py::test_a[1]", "tests/e2e/"),
        ("tests/e2e/test_story.py::test_b", "tests/e2e/"),
        ("tests/integration/test_http.py::test_a[x::y]", "tests/integration/test_http.py"),
        ("tests/unit/jobs/test_steps.py::test_a", "tests/unit/jobs/test_steps.py"),
        ("tests/lab/test_demo.py::test_a", "tests/lab/test_demo"),
        ("tests/lab/test_demo_day2.py::test_a", "tests/lab/test_demo"),
        ("tests/chaos/test_faults.py::test_a[x]", "tests/chaos/test_faults.py::test_a[x]"),
    ],
)
def test_groups_the_tests(nodeid: str, group: str) -> None:
    assert group_of(nodeid) == group
