"""Options are compared by digests: what was added, removed, or changed, in any order of values."""

import pytest

from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.daemon_options.drift import describe_drift, digests

PATH = "/etc/docker/daemon.json"


def of(text: str) -> dict[str, str]:
    return digests(OptionFiles(UnitFacts("", (), ()), {PATH: text}), lambda name, value: f"{name}:{hash(value)}")


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("{}", "{}", ()),
        ('{"icc": false}', '{"icc": false}', ()),
        ('{"icc": false}', "{}", ("icc was removed",)),
        ("{}", '{"debug": true}', ("debug was added",)),
        ('{"icc": false, "mtu": 1400}', '{"mtu": 1450, "icc": true}', ("icc was changed", "mtu was changed")),
        ('{"dns": ["1.1.1.1", "8.8.8.8"]}', '{"dns": ["8.8.8.8", "1.1.1.1"]}', ()),
        ('{"dns": ["1.1.1.1", "8.8.8.8"]}', '{"dns": ["8.8.8.8"]}', ("dns was changed",)),
        ('{"icc": false}', "not JSON", ("icc was removed",)),
    ],
)
def test_drift(before: str, after: str, changes: tuple[str, ...]) -> None:
    assert describe_drift(of(before), of(after)) == changes
