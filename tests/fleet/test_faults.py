"""What goes wrong on real hosts in the middle of a migration: each ends as it was or better, and says so."""

import pytest

from lab.fleet import fleet, machine
from lab.fleet.options import DEFAULTS
from lab.story import ALICE
from tests.fleet.imkers import Imker, on, upgrading, wait_for
from tests.fleet.tondi import CONTAINERS, HOST, MIGRATE, is_as_it_was, is_in_the_swarm, running, version

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.timeout(400)]


def test_a_repository_that_is_away_is_found_before_anything_is_touched(imker: Imker) -> None:
    on(HOST, "sh", "-c", "echo 'Acquire::http::Proxy \"http://127.0.0.1:1\";' > /etc/apt/apt.conf.d/99away")
    failed = imker.over(imker.asks(MIGRATE))
    assert f"asking apt for the new Engine failed on {HOST}" in failed.plain
    assert "is the repository there?" in failed.plain
    is_as_it_was()
    assert "swarm-agent" in running()


def test_a_repository_that_goes_away_in_the_middle(imker: Imker) -> None:
    """Its lists are there, its packages are not: the host goes back to what it was."""
    on(HOST, "sh", "-c", "echo 'Acquire::Retries \"0\";' > /etc/apt/apt.conf.d/99once")
    on(
        HOST,
        "sh",
        "-c",
        "cat > /usr/local/bin/cut; chmod +x /usr/local/bin/cut",
        stdin="#!/bin/sh\nrm -rf /var/cache/apt/archives\ntouch /var/cache/apt/archives\n",
    )
    message = imker.asks(MIGRATE)
    wait_for(lambda: upgrading(HOST))
    on(HOST, "cut")
    failed = imker.over(message)
    assert failed.text.startswith("❌")
    assert "the old files and package are back" in failed.plain
    assert "/swarm retry" in failed.plain
    is_as_it_was()


def test_a_full_disk_is_found_before_anything_is_touched(imker: Imker) -> None:
    on(HOST, "mkdir", "-p", "/var/cache/apt/archives")
    on(HOST, "mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", "/var/cache/apt/archives")
    refused = imker.over(imker.asks(MIGRATE))
    assert refused.text.startswith("🚫")
    assert "less than 500 MB left" in refused.plain
    assert "apt-get clean" in refused.plain
    is_as_it_was()


LOCK = """
use Fcntl; open(my $f, '>', '/var/lib/dpkg/lock-frontend') or die;
my $all = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $all) or die; sleep 3600;
"""


def test_a_held_lock_is_told_and_waited_for(imker: Imker) -> None:
    on(HOST, "systemd-run", "--unit=holder", "perl", "-e", LOCK.replace("$", "$$"))
    warned = imker.until(imker.asks(MIGRATE), lambda seen: "Continue" in seen.buttons)
    assert "perl (process" in warned.plain
    assert "holds dpkg's lock" in warned.plain
    is_as_it_was()
    imker.presses(ALICE, warned, "Continue")
    imker.says(warned, "waiting for dpkg's lock")
    on(HOST, "systemctl", "stop", "holder")
    assert imker.over(warned).text.startswith("✅")
    is_in_the_swarm()


def test_a_package_left_half_configured_is_mended_first(imker: Imker) -> None:
    """The Engine's own without a question; another's is told, and what people wrote into its conffile stays."""
    build = """
set -e; mkdir -p /tmp/toy/DEBIAN /tmp/toy/etc; cd /tmp; echo /etc/toy.conf > toy/DEBIAN/conffiles
build() {
  printf "Package: toy\\nVersion: $1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n" > toy/DEBIAN/control
  echo "$1" > toy/etc/toy.conf; dpkg-deb -b toy >/dev/null; }
build 1; dpkg -i toy.deb >/dev/null; echo ours > /etc/toy.conf; build 2; dpkg --unpack toy.deb >/dev/null
"""
    on(HOST, "sh", "-c", build)
    warned = imker.until(imker.asks(MIGRATE), lambda seen: "Continue" in seen.buttons)
    assert "dpkg has not finished: toy (iU)" in warned.plain
    imker.presses(ALICE, warned, "Continue")
    assert imker.over(warned).text.startswith("✅")
    assert on(HOST, "dpkg", "--audit") == ""
    assert on(HOST, "cat", "/etc/toy.conf") == "ours\n"
    assert "deprecated" in on(HOST, "cat", DEFAULTS), "the Engine's own is its maintainer's"
    is_in_the_swarm()


def test_a_package_whose_post_install_fails(imker: Imker) -> None:
    """Only with the new package: the old one goes in again, and the host is as it was."""
    version_of = "$(dpkg-query -W -f '${Version}' docker.io)"
    script = f"""#!/bin/sh
case $DPKG_MAINTSCRIPT_NAME-{version_of} in postinst-26*) exit 1;; esac
exec /usr/bin/dpkg-maintscript-helper.real "$@"
"""
    on(
        HOST,
        "sh",
        "-c",
        "cd /usr/bin; file=dpkg-maintscript-helper; mv $file $file.real; cat > $file; chmod +x $file",
        stdin=script,
    )
    failed = imker.over(imker.asks(MIGRATE))
    assert failed.text.startswith("❌")
    assert "the old files and package are back" in failed.plain
    assert "docker.io" in imker.thread(failed), "apt's own words"
    is_as_it_was()


def test_ssh_cut_during_the_upgrade(imker: Imker) -> None:
    message = imker.asks(MIGRATE)
    wait_for(lambda: upgrading(HOST))
    on(HOST, "sh", "-c", "pkill -KILL -u geschke sshd; true")
    assert imker.over(message).text.startswith("✅")
    is_in_the_swarm()


def test_the_host_is_restarted_during_the_upgrade(imker: Imker) -> None:
    message = imker.asks(MIGRATE)
    wait_for(lambda: upgrading(HOST) and " upgrade docker.io" in on(HOST, "cat", "/var/log/dpkg.log"))
    fleet.reboot([HOST])
    done = imker.over(message)
    assert done.text.startswith("✅"), done.plain
    assert version().startswith("26.1")
    assert running() >= CONTAINERS
    assert on(HOST, "dpkg", "--audit") == ""


@pytest.mark.parametrize("step", ["UpgradeEngine", "PutOptionsBack", "RestartEngine", "InitSwarm"])
def test_rq_worker_and_job_are_killed_and_the_run_retried(imker: Imker, step: str) -> None:
    message = imker.asks(MIGRATE)
    imker.begins(message, step)
    imker.kill_rq_workers()
    lost = imker.over(message)
    assert lost.text.startswith("❓"), lost.plain
    again = imker.over(imker.asks(f"/swarm retry {imker.run_of(message)}"))
    assert again.text.startswith("✅"), again.plain
    is_in_the_swarm()


def test_two_migrations_of_one_host_do_not_meet(imker: Imker) -> None:
    first = imker.asks(MIGRATE)
    second = imker.asks(MIGRATE)
    assert imker.over(first).text.startswith("✅")
    assert "nothing to do" in imker.over(second).text
    is_in_the_swarm()


def test_no_host_is_left_behind(imker: Imker) -> None:
    """The lab's own: a host that is down is a row with its error, and a plan says which host does not answer."""
    machine.kill(HOST)
    try:
        assert "does not answer" in imker.over(imker.asks("/swarm hosts")).plain
        assert f"{HOST} (198.18.0.73) does not answer over SSH" in imker.over(imker.asks(MIGRATE)).plain
    finally:
        fleet.reset([HOST])
