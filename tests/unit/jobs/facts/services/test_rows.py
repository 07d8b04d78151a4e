"""The status of a service in one word."""

import pytest

from jobs.facts.services.rows import service_status
from tests.unit.jobs.facts.services.builders import service


@pytest.mark.parametrize(
    ("running", "update_state", "expected"),
    [
        (2, "", "healthy"),
        (1, "", "unhealthy"),
        (2, "completed", "healthy"),
        (2, "rollback_completed", "healthy"),
        (1, "rollback_completed", "unhealthy"),
        (2, "paused", "paused"),
        (2, "rollback_paused", "paused"),
        (1, "updating", "updating"),
        (2, "rollback_started", "updating"),
    ],
)
def test_a_service_whose_tasks_run_is_healthy_unless_its_update_stopped(
    running: int, update_state: str, expected: str
) -> None:
    assert service_status(service(replicas=2, running=running, desired=2, update_state=update_state)) == expected
