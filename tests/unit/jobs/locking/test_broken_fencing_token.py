"""Check invalid fencing numbers: the error says where the number is and how to repair it."""

from pathlib import Path

import pytest
from redis import Redis

from jobs import repair
from jobs.connectors import fenced_shell
from jobs.connectors.fenced_shell import FencedShell
from jobs.connectors.swarm_label import FENCE_LABEL, with_token
from jobs.errors import BrokenFencingToken, LockHeld, Superseded
from jobs.locking.fencing_token import MAX_NUMBER, FencingToken
from jobs.locking.lease import LockHolder, acquire_lock
from tests.support.local_shell import LocalShell
from tests.unit.jobs.connectors.test_fenced_shell import ALICE, OLD

HUGE = ["99999999999999999999", "9007199254740992", "18446744073709551616", "9" * 5000, "00000000000000000007"]
NUMBERS = ["x", "-1", "1.5", " 7", "", "1e3", *HUGE]


@pytest.fixture(autouse=True)
def fence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lib/imker/fence"
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(fenced_shell, "FENCE_FILE", str(path))
    return path


@pytest.mark.parametrize("number", HUGE)
def test_reports_a_huge_number_in_the_swarm_label(number: str) -> None:
    with pytest.raises(BrokenFencingToken, match="the swarm has an invalid fencing number: ") as broken:
        with_token(OLD, {"Labels": {FENCE_LABEL: f"{number} x 1.0"}})
    assert "imker repair swarm" in broken.value.hint
    assert len(broken.value.summary) < 200


@pytest.mark.processes
@pytest.mark.parametrize("number", HUGE)
def test_host_keeps_a_huge_number_and_reports_it(fence: Path, number: str) -> None:
    fence.write_text(f"{number} x 1.0\n")
    with pytest.raises(BrokenFencingToken, match="kaditz has an invalid fencing number: ") as broken:
        FencedShell(LocalShell(), OLD).claim_host()
    assert "imker repair kaditz" in broken.value.hint
    assert fence.read_text() == f"{number} x 1.0\n"


@pytest.mark.processes
@pytest.mark.parametrize("text", ["by hand", "-1 x 1.0", "1e3 x 1.0", "\n\n", "", "x" * 4096])
def test_host_and_swarm_ignore_text_that_is_no_token(fence: Path, text: str) -> None:
    fence.write_text(text)
    FencedShell(LocalShell(), OLD).claim_host()
    assert fence.read_text() == f"{' '.join(OLD.as_words)}\n"
    assert with_token(OLD, {"Labels": {FENCE_LABEL: text}})["Labels"][FENCE_LABEL] == " ".join(OLD.as_words)


@pytest.mark.processes
@pytest.mark.parametrize("there", ["9", "9 rubbish", "9 x", "9 x 1.0 more", "9007199254740990 x 1.0"])
def test_host_and_swarm_respect_a_higher_number_whatever_follows_it(fence: Path, there: str) -> None:
    fence.write_text(f"{there}\n")
    for claim in (FencedShell(LocalShell(), OLD).claim_host, lambda: with_token(OLD, {"Labels": {FENCE_LABEL: there}})):
        with pytest.raises(Superseded) as later:
            claim()
        assert later.value.token_number == int(there.split()[0])


@pytest.mark.parametrize("value", NUMBERS)
def test_reports_an_invalid_number_in_redis_and_leaves_no_lock(redis: Redis, value: str) -> None:
    redis.set("fence:swarm", value)
    for _ in range(2):
        with (
            pytest.raises(BrokenFencingToken, match="Redis has an invalid fencing number: key fence:swarm") as broken,
            acquire_lock(redis, "swarm", ALICE),
        ):
            raise AssertionError("the lock was acquired")
        assert "imker repair swarm" in broken.value.hint
    assert redis.get("lock:swarm") is None
    assert redis.get("fence:swarm") == value.encode(), "the number is not incremented"


def test_reports_a_list_instead_of_a_number(redis: Redis) -> None:
    redis.lpush("fence:swarm", "1")
    with pytest.raises(BrokenFencingToken), acquire_lock(redis, "swarm", ALICE):
        raise AssertionError("the lock was acquired")
    assert redis.get("lock:swarm") is None


def test_reports_a_number_that_becomes_invalid_while_the_lock_is_held(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE) as lease:
        redis.set("fence:swarm", "99999999999999999999")
        with pytest.raises(BrokenFencingToken):
            lease.raise_token_above(7)
        redis.set("fence:swarm", "3")
        assert lease.raise_token_above(MAX_NUMBER - 7) == MAX_NUMBER - 6
    with acquire_lock(redis, "swarm", LockHolder("r2", "U", "migrate", 1.0)) as after:
        assert after.token.number == MAX_NUMBER - 5


def test_reports_a_held_lock_before_an_invalid_number(redis: Redis) -> None:
    with acquire_lock(redis, "swarm", ALICE):
        redis.set("fence:swarm", "x")
        with pytest.raises(LockHeld), acquire_lock(redis, "swarm", ALICE):
            raise AssertionError("two holders")


def test_repair_removes_only_invalid_numbers(redis: Redis, fence: Path) -> None:
    redis.set("fence:host:kaditz", "99999999999999999999")
    fence.write_text("99999999999999999999 x 1.0\n")
    assert len(repair.repair_in_redis(redis, "host:kaditz")) == len(repair.repair_on_host(LocalShell())) == 1
    assert not fence.exists()
    with acquire_lock(redis, "host:kaditz", ALICE) as lease:
        FencedShell(LocalShell(), lease.token).claim_host()
    for _ in range(2):
        assert (repair.repair_in_redis(redis, "host:kaditz"), repair.repair_on_host(LocalShell())) == ((), ())
    assert FencingToken.parse(fence.read_text().strip()).number == 1
