"""Migrate three simulated hosts completely with the real jobs."""

import time

import pytest

from bot.messages import escape
from bot.messages.runs import run_message
from imker.protocol.commands import Accept, Approval, ListHosts, ListNodes, Migrate, PlanHost, Reject
from imker.protocol.events import (
    ContainerSnapshot,
    DecisionRequested,
    HostTable,
    JobFinished,
    NodeTable,
    Planned,
    StepFailed,
    ThreadDetail,
)
from imker.protocol.next_command import NextCommand
from imker.protocol.node_commands import Demote
from imker.protocol.values import ContainerRow
from lab.fleet.daemon_option_files import DAEMON_JSON_PATH, DEFAULTS_PATH
from lab.simulated.fleet import Fleet
from tests.simulated.conftest import JobRunner


def test_migrates_three_hosts_and_changes_nothing_when_repeated(imker: JobRunner) -> None:
    last = imker.run_job(Migrate("connewitz", "manager"))[-1]
    assert last == JobFinished("done", "connewitz joined the swarm.")
    waiting = imker.run_job(Migrate("tondi", "manager"))[-1]
    assert isinstance(waiting, DecisionRequested)
    assert waiting.candidate.observed_address == imker.host("tondi").address
    accept_events = imker.run_job(Accept(waiting.candidate.node), Approval("U02BOB", waiting.fingerprint, time.time()))[
        -1
    ]
    assert "tondi is a manager now" in accept_events.summary
    stored = imker.run_job(Migrate("lausen", "worker"))[-1]
    assert stored.question == "remove_store"
    _as_promised(imker.fleet)
    for name, role in (("connewitz", "manager"), ("tondi", "manager"), ("lausen", "worker")):
        assert imker.run_job(Migrate(name, role))[-1].outcome == "unchanged"
    (table,) = [body for body in imker.run_job(ListNodes()) if isinstance(body, NodeTable)]
    rows = {row.hostname: (row.status, row.manager_status, row.engine) for row in table.rows}
    assert rows == {
        "connewitz": ("Ready", "Leader", "26.1.5"),
        "lausen": ("Ready", "", "26.1.5"),
        "tondi": ("Ready", "Reachable", "26.1.5"),
    }


def _as_promised(fleet: Fleet) -> None:
    for name in ("connewitz", "tondi", "lausen"):
        machine = fleet[name]
        assert machine.dockerd.version == "26.1.5"
        running = {container.name for container in machine.containers.values() if container.running}
        assert running == {"web", "batch", "cache"}
        assert "experimental" in machine.disk.texts["/etc/apt/sources.list.d/docker.list"]
    options = fleet["tondi"].disk.texts[DEFAULTS_PATH]
    assert "cluster-" not in options
    assert "--tlsverify" in options
    assert "deprecated upstream" in options, "the maintainer's file, with the options put back"
    saved = [path for path in fleet["tondi"].disk.texts if path.startswith(f"{DEFAULTS_PATH}.imker-")]
    assert "--cluster-store=consul://" in fleet["tondi"].disk.texts[saved[0]]
    assert "live-restore" not in fleet["lausen"].disk.texts[DAEMON_JSON_PATH]


@pytest.mark.parametrize("name", ["connewitz", "tondi"])
def test_containers_after_are_those_before_without_classic_swarm(imker: JobRunner, name: str) -> None:
    events = imker.run_job(Migrate("connewitz", "manager"))
    events = events if name == "connewitz" else imker.run_job(Migrate(name, "worker"))
    before, after = [body for body in events if isinstance(body, ContainerSnapshot)]
    assert (before.phase, before.engine, after.phase, after.engine) == ("before", "20.10.24", "after", "26.1.5")
    assert after.containers == tuple(container for container in before.containers if container.name != "swarm-agent")
    assert (
        ContainerRow("cache", "redis:3", True, "unless-stopped", ("6379->6379/tcp",), ("bridge",)) in after.containers
    )


def test_changes_each_thing_once(imker: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    deeds = imker.fleet.world.history.actions()
    kinds = [deed.kind for deed in deeds if deed.kind in ("unit", "restart", "init", "join")]
    assert kinds.count("restart") == kinds.count("init") == 1
    assert not [deed for deed in deeds if deed.kind == "join"]
    assert all(deed.ended_at >= deed.started_at for deed in deeds)


@pytest.mark.parametrize("name", ["connewitz", "tondi", "lausen"])
def test_lists_hosts_as_docker_machine_does(imker: JobRunner, name: str) -> None:
    (table,) = [body for body in imker.run_job(ListHosts()) if isinstance(body, HostTable)]
    row = next(row for row in table.rows if row.name == name)
    assert (row.state, row.docker, row.node_role, row.error) == ("Running", "v20.10.24", "", "")


def test_keeps_bytes_that_are_not_utf8_and_shows_a_placeholder(imker: JobRunner) -> None:
    """The file has a label in Latin-1. A surrogate stands for its byte here."""
    disk = imker.fleet["tondi"].disk
    before = disk.texts[DEFAULTS_PATH].replace("--cluster-store", "--label city=K\udcf6ln --cluster-store")
    disk.write(DEFAULTS_PATH, before)
    events = imker.run_job(Migrate("tondi", "manager"))
    assert (events[-1].outcome, events[-1].summary) == ("done", "tondi joined the swarm.")
    assert "--label city=K\udcf6ln\n" in disk.texts[DEFAULTS_PATH]
    assert "--label city=K\udcf6ln" in " ".join(imker.fleet["tondi"].dockerd.command_line)
    saved = [text for path, text in disk.texts.items() if path.startswith(f"{DEFAULTS_PATH}.imker-")]
    assert saved == [before]
    assert [body.text for body in events if "city=K?ln" in getattr(body, "text", "")] != []


# --- what is said at the end ------------------------------------------------------------------------------------------

AGAIN = "Not running anymore: web. See the thread for details."
STORE = "consulnode01 on lausen is stopped and unused."
STILL = "No host uses the key-value store consulnode01 on lausen anymore. Migrating lausen stops it as well."


@pytest.mark.parametrize(
    ("name", "role", "broken", "question", "says", "commands"),
    [
        ("tondi", "manager", True, "accept", f"{AGAIN} {STILL}", ["start tondi web", "retire lausen"]),
        ("tondi", "manager", False, "accept", STILL, ["retire lausen"]),
        ("lausen", "manager", True, "accept", f"{AGAIN} {STORE}", ["start lausen web", "retire lausen"]),
        ("lausen", "manager", False, "accept", STORE, ["retire lausen"]),
        ("lausen", "worker", True, "start_containers", STORE, ["retire lausen"]),
        ("lausen", "worker", False, "remove_store", "lausen joined the swarm. consulnode01 on lausen is stopped", []),
        ("tondi", "worker", True, "start_containers", AGAIN, ["retire lausen"]),
    ],
)
def test_pending_manager_reports_stopped_containers_and_the_unused_store(
    imker: JobRunner, name: str, role: str, broken: bool, question: str, says: str, commands: list[str]
) -> None:
    for first in ("connewitz", *(("tondi",) if name == "lausen" else ())):
        imker.run_job(Migrate(first, "manager" if first == "connewitz" else "worker"))
    imker.fleet[name].containers["web"].can_start = not broken
    events = imker.run_job(Migrate(name, role))
    last = events[-1]
    assert last.question == question, last
    assert says in last.summary
    assert [item.command.text for item in last.next_commands] == commands
    assert [body.title for body in events if "Ports" in getattr(body, "title", "")] != [] or name != "lausen"


def test_does_not_demote_a_manager_or_a_pending_one(imker: JobRunner) -> None:
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    node = imker.run_job(Migrate("tondi", "manager"))[-1].candidate.node[:12]
    for command in (Migrate("tondi", "worker"), PlanHost("tondi", "worker")):
        assert imker.run_job(command)[-1] == JobFinished(
            "refused", "tondi is a pending manager", "Nothing was changed.",
            next_commands=(NextCommand(Reject(node), "keep it as a worker"), NextCommand(Accept(node), "accept it")),
        )  # fmt: skip
    refused = imker.run_job(Migrate("connewitz", "worker"))[-1]
    assert (refused.outcome, refused.summary) == ("refused", "connewitz is a manager")
    assert [each.command for each in refused.next_commands] == [Demote("connewitz"), Migrate("connewitz", "worker")]


def test_keeps_the_role_of_a_host_without_a_configured_role(imker: JobRunner) -> None:
    """The inventory may name another role or none."""
    with (imker.fleet.folder / "imker.toml").open("r+") as file:
        text = file.read().replace('role = "manager"', 'role = "worker"')
        file.seek(0)
        file.write(text)
        file.truncate()
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"
    first = imker.run_job(Migrate("tondi", "manager"))[-1]
    again = imker.run_job(Migrate("tondi"))[-1]
    assert (again.question, again.fingerprint) == ("accept", first.fingerprint)
    assert imker.run_job(Migrate("connewitz"))[-1].outcome == "unchanged"
    assert imker.run_job(PlanHost("tondi"))[-1] == JobFinished(
        "unchanged",
        "nothing to do on tondi: it waits to be accepted as a manager",
        next_commands=(NextCommand(Accept(first.candidate.node[:12]), "accept it"),),
    )


@pytest.mark.parametrize(
    ("command", "command_line"),
    [
        (PlanHost("tondi", "manager", docker_group=True), "migrate tondi --manager --docker-group"),
        (PlanHost("tondi", "worker"), "migrate tondi --worker"),
        (PlanHost("tondi"), "migrate tondi"),
    ],
)
@pytest.mark.parametrize("blocked", [False, True])
def test_plan_ends_with_the_command_to_run_or_the_blocking_finding(
    imker: JobRunner, command: PlanHost, command_line: str, blocked: bool
) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    if blocked:
        imker.fleet["tondi"].disk.write(DAEMON_JSON_PATH, "{")
    last = imker.run_job(command)[-1]
    assert last.outcome == "done"
    if blocked:
        reason = f"{DAEMON_JSON_PATH} is not valid"
        assert f"Nothing was changed. The migration is refused until this is fixed: {reason}" in last.summary
        assert last.next_commands == ()
    else:
        assert [item.command.text for item in last.next_commands] == [command_line]
        assert last.summary.endswith("waits to be accepted as a manager.") == ("worker" not in command_line)


def test_posts_a_long_diff_completely(imker: JobRunner) -> None:
    disk = imker.fleet["tondi"].disk
    lines = 30  # fewer than the fixes that one file may need
    labels = "".join(f"--label number{number}={'x' * 100} --cluster-store-opt a{number}=b\n" for number in range(lines))
    disk.write(DEFAULTS_PATH, disk.texts[DEFAULTS_PATH].replace("--cluster-store", f"{labels}--cluster-store"))
    events = imker.run_job(PlanHost("tondi", "manager"))
    pieces = [body for body in events if isinstance(body, ThreadDetail)]
    (plan,) = [body for body in events if isinstance(body, Planned)]
    assert [piece.title for piece in pieces] == [
        f"tondi: changes in {DEFAULTS_PATH} ({number} of {len(pieces)})" for number in range(1, len(pieces) + 1)
    ]
    assert "".join(piece.text for piece in pieces) == plan.diff
    assert len(pieces) == 4
    for piece in pieces:
        assert cut_nowhere(piece), piece.title


def cut_nowhere(piece: ThreadDetail) -> bool:
    detail_text = run_message.thread_detail(piece).blocks[-1]["text"]["text"]
    return detail_text.strip("`") == escape.escape_code(piece.text)


def test_reports_an_unwritable_docker_machine_store(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    assert imker.run_job(Migrate("connewitz", "manager"))[-1].outcome == "done"

    def refuses(path: object, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("jobs.execute.files.shutil.copy2", refuses)
    *_, step, last = imker.run_job(Migrate("tondi", "worker"))
    assert isinstance(step, StepFailed)
    assert step.key == "CleanDockerMachineConfig"
    assert step.summary == last.summary
    assert last.summary.endswith("tondi/config.json: Permission denied")
    assert "Not done: Remove the classic Swarm from docker-machine's config." in last.state
    assert last.hint == "Give the RQ worker's user write access to it."
    assert [item.command.name for item in last.next_commands] == ["retry"]
