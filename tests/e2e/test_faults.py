"""What goes wrong on real hosts in the middle of a migration: each ends as it was or better, and says so."""

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


def test_a_repository_that_is_away_is_found_before_anything_is_touched(imker: Deployment) -> None:
    run_on(HOST, "sh", "-c", "echo 'Acquire::http::Proxy \"http://127.0.0.1:1\";' > /etc/apt/apt.conf.d/99away")
    failed = imker.wait_until_finished(imker.send_command(MIGRATE))
    assert f"querying apt for Engine versions failed on {HOST}" in failed.plain_text
    assert "Check that the repository in" in failed.plain_text
    assert_unchanged()
    assert "swarm-agent" in running_containers()


def test_a_repository_that_goes_away_in_the_middle(imker: Deployment) -> None:
    """Its lists are there, its packages are not: the host goes back to what it was."""
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


def test_a_full_disk_is_found_before_anything_is_touched(imker: Deployment) -> None:
    run_on(HOST, "mkdir", "-p", "/var/cache/apt/archives")
    run_on(HOST, "mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", "/var/cache/apt/archives")
    refused = imker.wait_until_finished(imker.send_command(MIGRATE))
    assert refused.text.startswith("🚫")
    assert "less than 500 MB left" in refused.plain_text
    assert "apt-get clean" in refused.plain_text
    assert_unchanged()


LOCK = """
use Fcntl; open(my $f, '>', '/var/lib/dpkg/lock-frontend') or die;
my $all = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $all) or die; sleep 3600;
"""


def test_a_held_lock_is_told_and_waited_for(imker: Deployment) -> None:
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


def test_a_package_left_half_configured_is_mended_first(imker: Deployment) -> None:
    """The Engine's own without a question; another's is told, and what people wrote into its conffile stays."""
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
    assert "deprecated" in run_on(HOST, "cat", DEFAULTS_PATH), "the Engine's own is its maintainer's"
    assert_migrated()


def test_a_package_whose_post_install_fails(imker: Deployment) -> None:
    """Only with the new package: the old one goes in again, and the host is as it was."""
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
    assert "docker.io" in imker.thread_text(failed), "apt's own words"
    assert_unchanged()


def test_ssh_cut_during_the_upgrade(imker: Deployment) -> None:
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST))
    run_on(HOST, "sh", "-c", "pkill -KILL -u geschke sshd; true")
    assert imker.wait_until_finished(message).text.startswith("✅")
    assert_migrated()


def test_the_host_is_restarted_during_the_upgrade(imker: Deployment) -> None:
    message = imker.send_command(MIGRATE)
    wait_until(lambda: is_upgrading(HOST) and " upgrade docker.io" in run_on(HOST, "cat", "/var/log/dpkg.log"))
    fleet.reboot([HOST])
    result = imker.wait_until_finished(message)
    assert result.text.startswith("✅"), result.plain_text
    assert engine_version().startswith("26.1")
    assert running_containers() >= CONTAINERS
    assert run_on(HOST, "dpkg", "--audit") == ""


@pytest.mark.parametrize("step", ["UpgradeEngine", "RestoreOptions", "RestartEngine", "InitSwarm"])
def test_rq_worker_and_job_are_killed_and_the_run_retried(imker: Deployment, step: str) -> None:
    message = imker.send_command(MIGRATE)
    imker.wait_for_step(message, step)
    imker.kill_rq_workers()
    lost = imker.wait_until_finished(message)
    assert lost.text.startswith("❓"), lost.plain_text
    again = imker.wait_until_finished(imker.send_command(f"/swarm retry {imker.run_id_of(message)}"))
    assert again.text.startswith("✅"), again.plain_text
    assert_migrated()


def test_two_migrations_of_one_host_do_not_meet(imker: Deployment) -> None:
    first = imker.send_command(MIGRATE)
    second = imker.send_command(MIGRATE)
    assert imker.wait_until_finished(first).text.startswith("✅")
    assert "nothing to do" in imker.wait_until_finished(second).text
    assert_migrated()


def test_no_host_is_left_behind(imker: Deployment) -> None:
    """The lab's own: a host that is down is a row with its error, and a plan says which host does not answer."""
    machine.kill_host(HOST)
    try:
        assert "unreachable" in imker.wait_until_finished(imker.send_command("/swarm hosts")).plain_text
        assert (
            f"{HOST} (198.18.0.73) is unreachable over SSH"
            in imker.wait_until_finished(imker.send_command(MIGRATE)).plain_text
        )
    finally:
        fleet.reset([HOST])
