"""Faults during a migration of real hosts: the host ends up migrated or unchanged, and the message says so."""

import pytest

from lab.fleet import fleet, machine
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.story import ALICE
from tests.e2e.support.deployment import Deployment, is_upgrading, run_on, wait_until
from tests.e2e.support.host import (
    CONTAINERS,
    HOST,
    MIGRATE,
    assert_migrated,
    assert_unchanged,
    engine_version,
    running_containers,
)

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(400)]


def test_finds_an_unreachable_repository_before_any_change(imker: Deployment) -> None:
    run_on(HOST, "sh", "-c", "echo 'Acquire::http::Proxy \"http://127.0.0.1:1\";' > /etc/apt/apt.conf.d/99away")
    failed = imker.wait_until_finished(imker.send_command(MIGRATE))
    assert f"querying apt for Engine versions failed on `{HOST}`" in failed.plain_text
    assert "Check that the repository in" in failed.plain_text
    assert_unchanged()
    assert "swarm-agent" in running_containers()


def test_rolls_back_when_the_repository_fails_during_the_upgrade(imker: Deployment) -> None:
    """Remove the packages after apt has read its lists."""
    run_on(HOST, "sh", "-c", "echo 'Acquire::Retries \"0\";' > /etc/apt/apt.conf.d/99once")
    run_on(
        HOST,
        "sh",
        "-c",
        "cat > /usr/local/bin/cut; chmod +x /usr/local/bin/cut",
        stdin="#!/bin/sh\nrm -rf /var/cache/apt/archives\ntouch /var/cache/apt/archives\n",
    )
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST))
    run_on(HOST, "cut")
    failed = imker.wait_until_finished(message)
    assert failed.text.startswith("❌")
    assert "restored the old files and package" in failed.plain_text
    assert "/swarm retry" in failed.plain_text
    assert_unchanged()


def test_finds_a_full_disk_before_any_change(imker: Deployment) -> None:
    run_on(HOST, "mkdir", "-p", "/var/cache/apt/archives")
    run_on(HOST, "mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", "/var/cache/apt/archives")
    refused = imker.wait_until_finished(imker.send_command(MIGRATE))
    assert refused.text.startswith("🚫")
    assert "less than 500 MB free" in refused.plain_text
    assert "apt-get clean" in refused.plain_text
    assert_unchanged()


LOCK = """
use Fcntl; open(my $f, '>', '/var/lib/dpkg/lock-frontend') or die;
my $all = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $all) or die; sleep 3600;
"""


def test_reports_a_held_lock_and_waits_for_it(imker: Deployment) -> None:
    run_on(HOST, "systemd-run", "--unit=holder", "perl", "-e", LOCK.replace("$", "$$"))
    warned = imker.wait_until(imker.send_command(MIGRATE), lambda message: "Continue" in message.buttons)
    assert "perl (process" in warned.plain_text
    assert "holds the dpkg lock" in warned.plain_text
    assert_unchanged()
    imker.press_button(ALICE, warned, "Continue")
    imker.wait_for_text(warned, "waiting for dpkg's lock")
    run_on(HOST, "systemctl", "stop", "holder")
    assert imker.wait_until_finished(warned).text.startswith("✅")
    assert_migrated()


def test_configures_an_unfinished_package_first(imker: Deployment) -> None:
    """Configure the Engine's package without a question, and report another one whose conffile was edited."""
    build = """
set -e; mkdir -p /tmp/toy/DEBIAN /tmp/toy/etc; cd /tmp; echo /etc/toy.conf > toy/DEBIAN/conffiles
build() {
  printf "Package: toy\\nVersion: $1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n" > toy/DEBIAN/control
  echo "$1" > toy/etc/toy.conf; dpkg-deb -b toy >/dev/null; }
build 1; dpkg -i toy.deb >/dev/null; echo ours > /etc/toy.conf; build 2; dpkg --unpack toy.deb >/dev/null
"""
    run_on(HOST, "sh", "-c", build)
    warned = imker.wait_until(imker.send_command(MIGRATE), lambda message: "Continue" in message.buttons)
    assert "half-installed packages: toy (iU)" in warned.plain_text
    imker.press_button(ALICE, warned, "Continue")
    assert imker.wait_until_finished(warned).text.startswith("✅")
    assert run_on(HOST, "dpkg", "--audit") == ""
    assert run_on(HOST, "cat", "/etc/toy.conf") == "ours\n"
    assert "deprecated" in run_on(HOST, "cat", DEFAULTS_PATH), "the maintainer's conffile of the Engine was installed"
    assert_migrated()


def test_rolls_back_when_a_post_install_script_fails(imker: Deployment) -> None:
    """Let only the new package fail, so that the old one can be installed again."""
    version_of = "$(dpkg-query -W -f '${Version}' docker.io)"
    script = f"""#!/bin/sh
case $DPKG_MAINTSCRIPT_NAME-{version_of} in postinst-26*) exit 1;; esac
exec /usr/bin/dpkg-maintscript-helper.real "$@"
"""
    run_on(
        HOST,
        "sh",
        "-c",
        "cd /usr/bin; file=dpkg-maintscript-helper; mv $file $file.real; cat > $file; chmod +x $file",
        stdin=script,
    )
    failed = imker.wait_until_finished(imker.send_command(MIGRATE))
    assert failed.text.startswith("❌")
    assert "restored the old files and package" in failed.plain_text
    assert "docker.io" in imker.thread_text(failed), "the output of apt"
    assert_unchanged()


def test_completes_when_ssh_is_reset_during_the_upgrade(imker: Deployment) -> None:
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST))
    run_on(HOST, "sh", "-c", "pkill -KILL -u geschke sshd; true")
    assert imker.wait_until_finished(message).text.startswith("✅")
    assert_migrated()


def test_completes_when_the_host_reboots_during_the_upgrade(imker: Deployment) -> None:
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST) and " upgrade docker.io" in run_on(HOST, "cat", "/var/log/dpkg.log"))
    fleet.reboot([HOST])
    result = imker.wait_until_finished(message)
    assert result.text.startswith("✅"), result.plain_text
    assert engine_version().startswith("26.1")
    assert running_containers() >= CONTAINERS
    assert run_on(HOST, "dpkg", "--audit") == ""


@pytest.mark.parametrize("step", ["UpgradeEngine", "RestoreOptions", "RestartEngine", "InitSwarm"])
def test_a_retry_completes_after_rq_workers_are_killed(imker: Deployment, step: str) -> None:
    message = imker.send_command(MIGRATE)
    imker.wait_for_step(message, step)
    imker.kill_rq_workers()
    lost = imker.wait_until_finished(message)
    assert lost.text.startswith("❓"), lost.plain_text
    again = imker.wait_until_finished(imker.send_command(f"/swarm retry {imker.run_id_of(message)}"))
    assert again.text.startswith("✅"), again.plain_text
    assert_migrated()


def test_two_migrations_of_one_host_run_one_after_the_other(imker: Deployment) -> None:
    first = imker.send_command(MIGRATE)
    second = imker.send_command(MIGRATE)
    assert imker.wait_until_finished(first).text.startswith("✅")
    assert "nothing to do" in imker.wait_until_finished(second).text
    assert_migrated()


def test_reports_a_host_that_is_down(imker: Deployment) -> None:
    """Show a host that is down with its error in the table, and name it in a plan."""
    machine.kill_host(HOST)
    try:
        assert "unreachable" in imker.wait_until_finished(imker.send_command("/swarm hosts")).plain_text
        assert (
            f"`{HOST}` (198.18.0.73) is unreachable over SSH"
            in imker.wait_until_finished(imker.send_command(MIGRATE)).plain_text
        )
    finally:
        fleet.reset([HOST])
