"""Choose which tests share a pytest-xdist worker."""

from typing import Any

from xdist.scheduler import LoadScopeScheduling

REAL_HOSTS = "tests/e2e/"
DEMOS = "tests/lab/test_demo"  # they share the folder with the client files of the simulated hosts
SPREAD = ("tests/chaos/", "tests/simulated/")  # each test takes seconds and shares nothing


class GroupScheduling(LoadScopeScheduling):
    """Give each worker one group of tests after the other, in the order of collection."""

    def __init__(self, config: Any, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group of a test: all on real hosts, all demos, its file, or itself alone."""
    for group in (REAL_HOSTS, DEMOS):
        if nodeid.startswith(group):
            return group
    return nodeid if nodeid.startswith(SPREAD) else nodeid.partition("::")[0]
