"""The fence: the script itself under a real `sh`, and who gets past it. Only a later holder does."""

import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from jobs.connectors import fenced_shell
from jobs.connectors.fenced_shell import FencedShell, claim_token
from jobs.connectors.shell import Output
from jobs.connectors.swarm_label import FENCE_LABEL, with_token
from jobs.errors import CommandFailed, JobError, Superseded, Unreachable
from jobs.locking.fencing_token import FencingToken
from jobs.locking.lease import Lease, LockHolder, acquire_lock

OLD, NEW = FencingToken(7, "oldrun", 1_795_440_000.0), FencingToken(8, "newrun", 1_795_440_060.0)
ALICE = LockHolder("k3fm9x2q", "U01ALICE", "migrate kaditz", 1_795_440_000.5)


class Here:
    """This machine as a host, without sudo."""

    host = "kaditz"

    def run(
        self, *argv: str, sudo: bool = False, stdin: str = "", check: bool = True, timeout: float = 60,
        wrapper: tuple[str, ...] = (),
    ) -> Output:  # fmt: skip
        result = subprocess.run([*wrapper, *argv], input=stdin, capture_output=True, text=True, timeout=timeout)
        output = Output(result.returncode, result.stdout, result.stderr)
        return output.check(self.host, argv[0]) if check else output

    def reconnect(self) -> None:
        pass


@pytest.fixture(autouse=True)
def fence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the host keeps it: a folder that is not there yet."""
    path = tmp_path / "lib/imker/fence"
    monkeypatch.setattr(fenced_shell, "FENCE_FILE", str(path))
    return path


def fenced(mark: FencingToken) -> FencedShell:
    return FencedShell(Here(), mark)


# --- what the host does --------------------------------------------------------------------------------------------


def test_a_command_runs_as_it_is_and_leaves_the_mark(fence: Path, tmp_path: Path) -> None:
    output = fenced(OLD).run(
        "sh", "-c", 'cat; echo "$1" >&2; exit 3', "imker", "a b;c", sudo=True, stdin="in", check=False
    )
    assert output == Output(3, "in", "a b;c\n")
    assert fence.read_text() == "7 oldrun 1795440000.000000\n"
    assert list(fence.parent.iterdir()) == [fence]
    with pytest.raises(CommandFailed, match=r"^false failed on kaditz \(exit 1\)"):
        fenced(OLD).run("false", sudo=True)


def test_a_later_run_keeps_the_older_one_out_in_words(fence: Path, tmp_path: Path) -> None:
    fenced(OLD).claim_host()
    fenced(NEW).claim_host()
    mark = tmp_path / "changed"
    for check in (True, False):
        with pytest.raises(Superseded) as refused:
            fenced(OLD).run("touch", str(mark), sudo=True, check=check)
    assert not mark.exists()
    assert (
        refused.value.summary
        == "kaditz rejects changes of this run: run newrun claimed it at 13:21:00 UTC (fencing token 8)"
    )
    assert "/swarm status newrun" in refused.value.hint
    assert refused.value.state == "Completed steps are kept. Run newrun makes all further changes."
    assert fence.read_text() == "8 newrun 1795440060.000000\n"
    fenced(NEW).run("touch", str(mark), sudo=True)
    assert mark.exists()


@pytest.mark.parametrize(
    ("there", "mine", "passes"),
    [
        (FencingToken(9, "r", 1), FencingToken(10, "s", 2), True),
        (FencingToken(10, "r", 1), FencingToken(9, "s", 2), False),
        (FencingToken(1, "r", 1), FencingToken(1, "s", 2), False),  # Redis began to count anew
        (FencingToken(1, "r", 1), FencingToken(1, "r", 1.5), False),  # ... and it is the same run's next job
        (FencingToken(1, "r", 1), FencingToken(1, "r", 1), True),
    ],
)
def test_the_host_and_the_swarm_judge_alike(fence: Path, there: FencingToken, mine: FencingToken, passes: bool) -> None:
    fenced(there).claim_host()
    spec = with_token(there, {"Name": "default"})
    if passes:
        fenced(mine).claim_host()
        assert with_token(mine, spec) == {"Name": "default", "Labels": {FENCE_LABEL: " ".join(mine.as_words)}}
    else:
        with pytest.raises(Superseded, match="kaditz rejects"):
            fenced(mine).claim_host()
        with pytest.raises(Superseded, match="the swarm rejects"):
            with_token(mine, spec)


def test_the_swarms_other_labels_stay_and_a_mark_that_is_none_counts_for_nothing() -> None:
    spec = {"Labels": {"team": "ops", FENCE_LABEL: "by hand"}}
    assert with_token(OLD, spec) == {"Labels": {"team": "ops", FENCE_LABEL: "7 oldrun 1795440000.000000"}}


def test_a_holder_is_not_in_its_own_way(fence: Path) -> None:
    mark = FencingToken(3, "r", 1_795_440_000.123_456_7)
    for _ in range(2):
        fenced(mark).claim_host()
    spec = with_token(mark, {})
    assert with_token(mark, spec) == spec


def test_a_later_run_waits_for_the_command_that_still_runs(fence: Path, tmp_path: Path) -> None:
    """As when the older one's connection is gone, and its command goes on."""
    fenced(OLD).claim_host()
    start_marker, ended = tmp_path / "begun", tmp_path / "ended"
    script = 'touch "$1"; while [ ! -e "$1.go" ]; do sleep 0.01; done; touch "$2"'
    words = ("sh", "-c", script, "imker", str(start_marker), str(ended))
    older = threading.Thread(target=lambda: fenced(OLD).run(*words, sudo=True))
    message: list[bool] = []
    newer = threading.Thread(target=lambda: (fenced(NEW).claim_host(), message.append(ended.exists())))
    older.start()
    wait_for(start_marker)
    newer.start()
    newer.join(0.3)
    assert message == [], "it waits"
    Path(f"{start_marker}.go").touch()
    older.join(30)
    newer.join(30)
    assert message == [True]


def test_a_command_that_hangs_is_named_and_not_run_over(
    fence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.connectors.fenced_shell.CLAIM_TIMEOUT", 0)
    go = tmp_path / "go"
    script = 'touch "$1.begun"; while [ ! -e "$1" ]; do sleep 0.01; done'
    hangs = threading.Thread(target=lambda: fenced(OLD).run("sh", "-c", script, "imker", str(go), sudo=True))
    hangs.start()
    wait_for(Path(f"{go}.begun"))
    try:
        with pytest.raises(JobError, match="a command of run oldrun is still running on kaditz") as busy:
            fenced(NEW).claim_host()
    finally:
        go.touch()
        hangs.join(30)
    assert "fuser -v" in busy.value.hint
    fenced(NEW).claim_host()


def test_a_connection_lost_between_two_steps_is_made_anew(fence: Path) -> None:
    class Cut(Here):
        lost, made = 1, 0

        def run(self, *argv: str, **how: Any) -> Output:
            if self.made < self.lost:
                raise Unreachable("lost kaditz", host="kaditz")
            return super().run(*argv, **how)

        def reconnect(self) -> None:
            self.made += 1

    FencedShell(Cut(), OLD).claim_host()
    assert fence.read_text().startswith("7 oldrun")
    gone = Cut()
    gone.lost = 2
    with pytest.raises(Unreachable):
        FencedShell(gone, OLD).claim_host()


def test_what_changes_nothing_is_not_fenced(fence: Path) -> None:
    assert fenced(OLD).run("echo", "seen").stdout == "seen\n"
    assert not fence.exists()


def test_a_command_with_the_fences_exit_code_is_not_taken_for_its_word(fence: Path) -> None:
    output = fenced(OLD).run("sh", "-c", "echo 'no imker-fence later 9 r 1' >&2; exit 76", sudo=True, check=False)
    assert output.code == 76


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- a Redis that lost count ---------------------------------------------------------------------------------------


def claim(lease: Lease) -> FencingToken:
    return claim_token(lease, lambda mark: fenced(mark).claim_host())


def test_who_holds_the_lock_gets_above_what_the_host_has(redis: Redis, fence: Path) -> None:
    fenced(FencingToken(57, "before", 1)).claim_host()
    with acquire_lock(redis, "host:kaditz", ALICE) as lease:
        assert lease.token.number == 1, "Redis has lost its data"
        assert claim(lease).number == 58
    with acquire_lock(redis, "host:kaditz", ALICE) as after:
        assert after.token.number == 59, "and counts on from there"


def test_who_lost_the_lock_gets_no_number(redis: Redis, fence: Path) -> None:
    with acquire_lock(redis, "host:kaditz", ALICE) as stale:
        claim(stale)
        redis.flushall()
        with acquire_lock(redis, "host:kaditz", replace(ALICE, since=ALICE.since + 1)) as fresh:
            mark = claim(fresh)
            assert mark.number == 2, "the same number, but another's"
            with pytest.raises(Superseded):
                claim(stale)
            assert stale.raise_token_above(99) == 0
        redis.flushall()
        with pytest.raises(Superseded):
            claim(stale)
    assert fence.read_text().split()[0] == "2"


def test_who_slept_past_the_lease_gets_no_number(redis: Redis, fence: Path) -> None:
    with acquire_lock(redis, "host:kaditz", ALICE) as stale:
        claim(stale)
        redis.delete("lock:host:kaditz")  # its lease is over
        with pytest.raises(Superseded):
            claim_token(stale, lambda mark: fenced(FencingToken(mark.number - 1, mark.run, mark.since)).claim_host())
        with acquire_lock(redis, "host:kaditz", ALICE) as fresh:
            claim(fresh)
            with pytest.raises(Superseded):
                claim(stale)
