"""Test each fault of the simulated hosts with the real clients."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imker.protocol.commands import Migrate
from imker.protocol.events import EventBody, ThreadDetail
from jobs.connectors.engine import Engine
from jobs.connectors.shell import Command, Output, command, sudo
from jobs.connectors.ssh import SshShell
from jobs.errors import CommandFailed, Unreachable
from jobs.execute.polling import wait_for
from jobs.gather.host import gather_host
from jobs.gather.swarm import ask_engine
from jobs.inventory.model import Host
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.simulated.units import Unit
from tests.simulated.conftest import JobRunner

UPGRADE = "imker-upgrade.service"


def soon(what: str, true: Callable[[], bool]) -> None:
    assert wait_for(true, 20, 0.02), what


def while_migrating(imker: JobRunner, name: str, fault: Callable[[str], None]) -> list[EventBody]:
    """Migrate a host and inject the fault as soon as its upgrade runs."""
    events: list[EventBody] = []
    thread = threading.Thread(target=lambda: events.extend(imker.run_job(Migrate(name, "manager"))))
    thread.start()
    soon("the upgrade runs", lambda: imker.fleet[name].units.is_running(UPGRADE))
    fault(name)
    thread.join(60)
    return events


def test_follows_the_upgrade_again_after_a_cut_connection(imker: JobRunner) -> None:
    events = while_migrating(imker, "tondi", imker.fleet.reset_ssh)
    assert events[-1].outcome == "done", events[-1]
    started_units = [action.detail for action in imker.fleet.world.history.actions("unit started", "tondi")]
    assert started_units.count(UPGRADE) == 1
    assert any("connection lost" in getattr(body, "text", "") for body in events)


def test_finds_an_upgrade_whose_start_was_cut_off(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    units = imker.fleet["tondi"].units
    start = units.start

    def cut(name: str, *args: Any) -> bool:
        began = start(name, *args)
        if name == UPGRADE:
            imker.fleet.reset_ssh("tondi")
        return began

    monkeypatch.setattr(units, "start", cut)
    assert imker.run_job(Migrate("tondi", "manager"))[-1].outcome == "done"
    installed = [deed.detail for deed in imker.fleet.world.history.actions("installed", "tondi")]
    assert sorted(installed) == sorted(set(installed)) != []


def test_starts_the_upgrade_after_a_connection_cut_before_its_start(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    units, cuts = imker.fleet["tondi"].units, []
    start = units.start

    def cut(name: str, *args: Any) -> bool:
        if name == UPGRADE and not cuts:
            cuts.append(name)
            imker.fleet.reset_ssh("tondi")
            return True
        return start(name, *args)

    monkeypatch.setattr(units, "start", cut)
    assert imker.run_job(Migrate("tondi", "manager"))[-1].outcome == "done"
    assert cuts


def installing(imker: JobRunner, packages: str, seconds: float, code: int = 0) -> None:
    """Start an upgrade on tondi as an earlier run would have left it."""

    def work(unit: Unit) -> int:
        unit.output.append(f"apt's words about {packages}")
        unit.wait(seconds)
        return code

    imker.fleet["tondi"].units.start(UPGRADE, work, f"Imker: {packages}")


@pytest.mark.parametrize("seconds", [0, 2])
def test_does_not_mistake_another_upgrade_for_its_own(imker: JobRunner, seconds: float) -> None:
    installing(imker, "docker.io=20.10", seconds)
    events = imker.run_job(Migrate("tondi", "manager"))
    assert events[-1].outcome == "done", events[-1]
    assert imker.fleet["tondi"].packages["docker.io"].version.startswith("26.1")
    (earlier,) = [body for body in events if isinstance(body, ThreadDetail) and "20.10" in body.title]
    assert earlier.title == "apt on tondi, exit 0: Imker: docker.io=20.10"
    assert earlier.text == "apt's words about docker.io=20.10\n"


def test_reports_an_earlier_failed_upgrade_before_it_retries(imker: JobRunner) -> None:
    installing(imker, "docker.io=26.1.5+dfsg1-9+lab1 docker-cli=26.1.5+dfsg1-9", 0, code=100)
    soon("it has failed", lambda: not imker.fleet["tondi"].units.is_running(UPGRADE))
    events = imker.run_job(Migrate("tondi", "manager"))
    assert events[-1].outcome == "done", events[-1]
    titles = [body.title for body in events if isinstance(body, ThreadDetail) and body.title.startswith("apt on")]
    assert [title[:24] for title in titles] == ["apt on tondi, exit 100: ", "apt on tondi"]


def test_completes_an_upgrade_that_a_reboot_interrupted(imker: JobRunner) -> None:
    first = while_migrating(imker, "tondi", imker.fleet.reboot)[-1]
    machine = imker.fleet["tondi"]
    soon("it is up again", lambda: machine.is_up)
    if first.outcome != "done":
        assert imker.run_job(Migrate("tondi", "manager"))[-1].outcome == "done"
    assert {package.state for package in machine.packages.values()} == {"ii"}
    assert machine.packages["docker.io"].version.startswith("26.1")
    assert "--tlsverify" in machine.disk.texts[DEFAULTS_PATH]


def test_reports_an_unresponsive_host(imker: JobRunner) -> None:
    host = imker.host("tondi")
    imker.fleet.set_silent("tondi")
    with pytest.raises(Unreachable, match="timed out"):
        Engine(host, timeout=1)
    threading.Timer(0.5, imker.fleet.set_silent, ("tondi", False)).start()
    with SshShell(host, imker.settings.inventory.known_hosts) as shell:
        assert shell.run(command("true")).code == 0, "connected before it spoke, answered after"


def test_reports_an_unknown_outcome_when_a_host_stops_responding(
    imker: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.connectors.ssh.CHANNEL_TIMEOUT", 1)
    with SshShell(imker.host("tondi"), imker.settings.inventory.known_hosts) as shell:
        imker.fleet.set_silent("tondi")
        with pytest.raises(Unreachable, match="outcome unknown"):
            shell.run(command("true", timeout=1))
        imker.fleet.set_silent("tondi", silent=False)


def test_rebooting_host_refuses_connections_until_it_is_up(imker: JobRunner) -> None:
    """Use connewitz: the daemons of the other hosts would not start with the options on their disks."""
    machine, host = imker.fleet["connewitz"], imker.host("connewitz")
    imker.fleet.reboot("connewitz")
    with pytest.raises(Unreachable):
        Engine(host, timeout=1)
    soon("it answers again", lambda: bool(Engine(host, timeout=1).version))
    assert time.time() - machine.booted_at < 60
    assert {container.name for container in machine.containers.values() if container.running} == {"web", "cache"}


def test_reports_the_error_of_apt_when_the_upgrade_fails(imker: JobRunner) -> None:
    imker.fleet["tondi"].apt_fails = True
    last = imker.run_job(Migrate("tondi", "manager"))[-1]
    assert (last.outcome, "404" in last.summary) == ("failed", True), last
    imker.fleet["tondi"].apt_fails = False
    assert imker.run_job(Migrate("tondi", "manager"))[-1].outcome == "done"


def test_rolls_back_when_the_daemon_does_not_start(imker: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.execute.restart.ANSWER_TIMEOUT", 1)
    machine = imker.fleet["tondi"]
    would_refuse = machine.dockerd.refusal
    new = "failed to start daemon: exec format error"
    monkeypatch.setattr(
        machine.dockerd,
        "refusal",
        lambda: new if machine.dockerd.installed_version().startswith("26") else would_refuse(),
    )
    last = imker.run_job(Migrate("tondi", "manager"))[-1]
    assert last.outcome == "rolled_back", last
    assert Engine(imker.host("tondi")).version["Version"] == "20.10.24"
    assert "cluster-store" not in machine.disk.texts[DEFAULTS_PATH], "Debian's 20.10 does not start with it"


def test_measures_the_daemon_uptime_over_a_slow_connection(imker: JobRunner) -> None:
    """Otherwise a repeated command would restart an Engine that already has all its options."""

    class Slow(SshShell):
        def run(self, command: Command) -> Output:
            time.sleep(0.1)
            return super().run(command)

    machine, host = imker.fleet["tondi"], imker.host("tondi")
    for began, stale in ((0.05, False), (-0.05, True)):
        machine.dockerd.started_at = max(machine.disk.modified_at.values()) + began
        with Slow(host, imker.settings.inventory.known_hosts) as shell:
            assert gather_host(shell, host, imker.settings.engine, ask_engine(host, Engine)).options_changed is stale


def test_unknown_command_exits_127_and_is_recorded(imker: JobRunner) -> None:
    history = imker.fleet.world.history
    with (
        SshShell(imker.host("tondi"), imker.settings.inventory.known_hosts) as shell,
        pytest.raises(CommandFailed, match="exit 127"),
    ):
        shell.run(sudo("ip", "link", "set", "eth0", "down"))
    assert history.unknown_requests == ["tondi: ip link set eth0 down"]
    imker.fleet.reset()


def test_rejects_a_changed_host_key(imker: JobRunner, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    lines = imker.settings.inventory.known_hosts.read_text().splitlines()
    keys = [line.split()[2] for line in lines]
    swapped = (f"{line.split()[0]} ssh-ed25519 {key}\n" for line, key in zip(lines, keys[::-1], strict=True))
    known_hosts.write_text("".join(swapped))
    host: Host = imker.host("connewitz")
    with pytest.raises(Unreachable, match="differs from the one in known_hosts"):
        SshShell(host, known_hosts)


def test_rejects_an_unknown_host_key_with_the_ssh_keyscan_command(imker: JobRunner, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    host: Host = imker.host("connewitz")
    with pytest.raises(Unreachable, match="host key is unknown") as refused:
        SshShell(host, known_hosts)
    assert f"ssh-keyscan -p {host.ssh_port} {host.address} >> {known_hosts}" in refused.value.hint


@pytest.mark.parametrize("shape", ["PEM", "RFC4716"])  # docker-machine's own, and today's
def test_explains_a_rejected_ssh_key(imker: JobRunner, tmp_path: Path, shape: str) -> None:
    keygen = ("ssh-keygen", "-q", "-t", "rsa", "-m", shape, "-N", "", "-f", str(tmp_path / "id_rsa"))
    subprocess.run(keygen, check=True)
    host = replace(imker.host("connewitz"), ssh_key=tmp_path / "id_rsa")
    with pytest.raises(Unreachable, match="connewitz refuses geschke's SSH key") as refused:
        SshShell(host, imker.settings.inventory.known_hosts)
    assert "authorized_keys on connewitz" in refused.value.hint
    assert "use an Ed25519 key" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "why"),
    [("nonsense", "not a private key"), (None, "No such file"), ("secret", "a passphrase")],
)
def test_explains_an_unusable_key_file(imker: JobRunner, tmp_path: Path, text: str | None, why: str) -> None:
    if text == "secret":
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", text, "-f", str(tmp_path / "key")), check=True)
    elif text:
        (tmp_path / "key").write_text(text)
    with pytest.raises(Unreachable, match=why):
        SshShell(replace(imker.host("connewitz"), ssh_key=tmp_path / "key"), imker.settings.inventory.known_hosts)
