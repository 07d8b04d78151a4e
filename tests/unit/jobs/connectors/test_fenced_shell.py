"""Test fencing with the real script under `sh`: only the latest lock holder may run root commands."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.next_command import BotCommand
from jobs.connectors import fenced_shell
from jobs.connectors.fenced_shell import FencedShell, claim_token
from jobs.connectors.shell import Command, Output, command, script, sudo
from jobs.connectors.swarm_label import FENCE_LABEL, with_token
from jobs.errors import CommandFailed, JobError, Superseded, Unreachable
from jobs.locking.fencing_token import FencingToken
from jobs.locking.lease import Lease, LockHolder, acquire_lock
from tests.support.local_shell import LocalShell

OLD, NEW = FencingToken(7, "oldrun", 1_795_440_000.0), FencingToken(8, "newrun", 1_795_440_060.0)
ALICE = LockHolder("k3fm9x2q", "U01ALICE", "migrate kaditz", 1_795_440_000.5)


@pytest.fixture(autouse=True)
def fence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the fence file, in a folder that does not exist yet."""
    path = tmp_path / "lib/imker/fence"
    monkeypatch.setattr(fenced_shell, "FENCE_FILE", str(path))
    return path


def fenced_shell_for(token: FencingToken) -> FencedShell:
    return FencedShell(LocalShell(), token)


# --- what the host does --------------------------------------------------------------------------------------------


def test_runs_a_command_unchanged_and_saves_the_token(fence: Path, tmp_path: Path) -> None:
    echo = sudo(*script('cat; echo "$1" >&2; exit 3', "a b;c"), stdin="in", check=False)
    assert fenced_shell_for(OLD).run(echo) == Output(3, "in", "a b;c\n", b"in")
    assert fence.read_text() == "7 oldrun 1795440000.000000\n"
    assert list(fence.parent.iterdir()) == [fence]
    with pytest.raises(CommandFailed, match=r"^false failed on kaditz \(exit 1\)"):
        fenced_shell_for(OLD).run(sudo("false"))


def test_rejects_an_older_run_after_a_later_claim(fence: Path, tmp_path: Path) -> None:
    fenced_shell_for(OLD).claim_host()
    fenced_shell_for(NEW).claim_host()
    changed = tmp_path / "changed"
    for check in (True, False):
        with pytest.raises(Superseded) as refused:
            fenced_shell_for(OLD).run(sudo("touch", str(changed), check=check))
    assert not changed.exists()
    assert (
        refused.value.summary
        == "kaditz rejects changes of this run: run newrun claimed it at 13:21:00 UTC (fencing token 8)"
    )
    assert [item.command for item in refused.value.next_commands] == [BotCommand("status", "newrun")]
    assert refused.value.state == "Completed steps are kept. Run newrun makes all further changes."
    assert fence.read_text() == "8 newrun 1795440060.000000\n"
    fenced_shell_for(NEW).run(sudo("touch", str(changed)))
    assert changed.exists()


@pytest.mark.parametrize(
    ("there", "mine", "passes"),
    [
        (FencingToken(9, "r", 1), FencingToken(10, "s", 2), True),
        (FencingToken(10, "r", 1), FencingToken(9, "s", 2), False),
        (FencingToken(1, "r", 1), FencingToken(1, "s", 2), False),  # Redis lost its counter
        (FencingToken(1, "r", 1), FencingToken(1, "r", 1.5), False),  # ... for the next job of the same run
        (FencingToken(1, "r", 1), FencingToken(1, "r", 1), True),
    ],
)
def test_host_and_swarm_compare_tokens_in_the_same_way(
    fence: Path, there: FencingToken, mine: FencingToken, passes: bool
) -> None:
    fenced_shell_for(there).claim_host()
    spec = with_token(there, {"Name": "default"})
    if passes:
        fenced_shell_for(mine).claim_host()
        assert with_token(mine, spec) == {"Name": "default", "Labels": {FENCE_LABEL: " ".join(mine.as_words)}}
    else:
        with pytest.raises(Superseded, match="kaditz rejects"):
            fenced_shell_for(mine).claim_host()
        with pytest.raises(Superseded, match="the swarm rejects"):
            with_token(mine, spec)


def test_keeps_other_labels_and_ignores_an_unparsable_token() -> None:
    spec = {"Labels": {"team": "ops", FENCE_LABEL: "by hand"}}
    assert with_token(OLD, spec) == {"Labels": {"team": "ops", FENCE_LABEL: "7 oldrun 1795440000.000000"}}


def test_accepts_several_commands_with_the_same_token(fence: Path) -> None:
    token = FencingToken(3, "r", 1_795_440_000.123_456_7)
    for _ in range(2):
        fenced_shell_for(token).claim_host()
    spec = with_token(token, {})
    assert with_token(token, spec) == spec


def test_a_later_run_waits_for_a_running_command(fence: Path, tmp_path: Path) -> None:
    """The older run lost its connection, but its command is still running."""
    fenced_shell_for(OLD).claim_host()
    start_marker, ended = tmp_path / "begun", tmp_path / "ended"
    text = 'touch "$1"; while [ ! -e "$1.go" ]; do sleep 0.01; done; touch "$2"'
    command = sudo(*script(text, str(start_marker), str(ended)))
    older = threading.Thread(target=lambda: fenced_shell_for(OLD).run(command))
    message: list[bool] = []
    newer = threading.Thread(target=lambda: (fenced_shell_for(NEW).claim_host(), message.append(ended.exists())))
    older.start()
    wait_for(start_marker)
    newer.start()
    newer.join(0.3)
    assert message == [], "it waits"
    Path(f"{start_marker}.go").touch()
    older.join(30)
    newer.join(30)
    assert message == [True]


def test_reports_a_hanging_command_instead_of_overlapping_it(
    fence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.connectors.fenced_shell.CLAIM_TIMEOUT", 0)
    go = tmp_path / "go"
    text = 'touch "$1.begun"; while [ ! -e "$1" ]; do sleep 0.01; done'
    hangs = threading.Thread(target=lambda: fenced_shell_for(OLD).run(sudo(*script(text, str(go)))))
    hangs.start()
    wait_for(Path(f"{go}.begun"))
    try:
        with pytest.raises(JobError, match="a command of run oldrun is still running on kaditz") as busy:
            fenced_shell_for(NEW).claim_host()
    finally:
        go.touch()
        hangs.join(30)
    assert "fuser -v" in busy.value.hint
    fenced_shell_for(NEW).claim_host()


def test_reconnects_before_a_step(fence: Path) -> None:
    class Cut(LocalShell):
        needed_reconnects, reconnects = 1, 0

        def run(self, command: Command) -> Output:
            if self.reconnects < self.needed_reconnects:
                raise Unreachable("lost kaditz", host="kaditz")
            return super().run(command)

        def reconnect(self) -> None:
            self.reconnects += 1

    FencedShell(Cut(), OLD).claim_host()
    assert fence.read_text().startswith("7 oldrun")
    shell = Cut()
    shell.needed_reconnects = 2
    with pytest.raises(Unreachable):
        FencedShell(shell, OLD).claim_host()


def test_does_not_fence_commands_without_sudo(fence: Path) -> None:
    assert fenced_shell_for(OLD).run(command("echo", "seen")).stdout == "seen\n"
    assert not fence.exists()


def test_distinguishes_a_commands_exit_code_from_the_fences(fence: Path) -> None:
    echo = sudo(*script("echo 'no imker-fence later 9 r 1' >&2; exit 76"), check=False)
    assert fenced_shell_for(OLD).run(echo).code == 76


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- a Redis that lost count ---------------------------------------------------------------------------------------


def claim(lease: Lease) -> FencingToken:
    return claim_token(lease, lambda token: fenced_shell_for(token).claim_host())


def test_the_lock_holder_raises_its_token_above_the_hosts(redis: Redis, fence: Path) -> None:
    fenced_shell_for(FencingToken(57, "before", 1)).claim_host()
    with acquire_lock(redis, "host:kaditz", ALICE) as lease:
        assert lease.token.number == 1, "Redis has lost its data"
        assert claim(lease).number == 58
    with acquire_lock(redis, "host:kaditz", ALICE) as after:
        assert after.token.number == 59, "and counts on from there"


def test_raises_no_token_without_the_lock(redis: Redis, fence: Path) -> None:
    with acquire_lock(redis, "host:kaditz", ALICE) as stale:
        claim(stale)
        redis.flushall()
        with acquire_lock(redis, "host:kaditz", replace(ALICE, since=ALICE.since + 1)) as fresh:
            token = claim(fresh)
            assert token.number == 2, "the same number, but another's"
            with pytest.raises(Superseded):
                claim(stale)
            assert stale.raise_token_above(99) == 0
        redis.flushall()
        with pytest.raises(Superseded):
            claim(stale)
    assert fence.read_text().split()[0] == "2"


def test_raises_no_token_after_the_lease_expired(redis: Redis, fence: Path) -> None:
    with acquire_lock(redis, "host:kaditz", ALICE) as stale:
        claim(stale)
        redis.delete("lock:host:kaditz")  # its lease has expired
        with pytest.raises(Superseded):
            claim_token(
                stale,
                lambda token: fenced_shell_for(FencingToken(token.number - 1, token.run, token.since)).claim_host(),
            )
        with acquire_lock(redis, "host:kaditz", ALICE) as fresh:
            claim(fresh)
            with pytest.raises(Superseded):
                claim(stale)
