"""The recipe of the base: Debian with the old Engine, an apt repository with three Engines, and one tiny image.

Writes `root/`, `repository/`, and `image.tar` to a folder. Mirror and keyring are read at run time from this machine's
apt sources. A digest of this file names the base, so it contains nothing else.
"""

import email.utils
import hashlib
import io
import platform
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from lab.fleet.shell import LabError, Say, sh

GROUP = "base"  # cgroup of the build, to find its processes after the lab was killed
BASE_PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,iptables,ca-certificates,procps,kmod,"
    "busybox-static,docker.io"
)
OLD_ENGINE_PACKAGES = ("docker.io", "containerd", "runc", "tini")
NEW_ENGINE_PACKAGES = ("docker.io", "docker-cli", "containerd")
NEXT_ENGINE_PACKAGES = ("docker.io", "docker-cli")  # they run with bookworm's libc, containerd, and runc
COMPONENTS = ("main", "experimental", "next")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CONFFILE_COMMENT = "# Use of this file is deprecated upstream; see also /etc/docker/daemon.json.\n"
IDLE_SCRIPT = "#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile :; do sleep 3600 & wait $!; done\n"
MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("systemd-networkd-wait-online.service", "getty@tty1.service", "console-getty.service"),
)


def build_base(folder: Path, say: Say) -> None:
    _build_repository(folder, say)
    _build_root(folder, say)
    _build_image(folder)


def debian_mirror() -> tuple[str, str]:
    """Return (URI, keyring) of the Debian archive that this machine installs from."""
    targets = sh("apt-get", "indextargets", "--format", "$(REPO_URI)|$(SIGNED_BY)|$(CODENAME)|$(COMPONENT)")
    for line in targets.splitlines():
        uri, keyring, codename, component = line.split("|")
        if component == "main" and codename == "bookworm":
            return uri, keyring if keyring.startswith("/") else KEYRING
    raise LabError("no Debian bookworm in this machine's apt sources; run apt-get update, or use Debian 12")


def _build_repository(folder: Path, say: Say) -> None:
    say("fetching Engines of three generations")
    uri, keyring = debian_mirror()
    pool = folder / "repository" / "pool"
    _download(folder, "bookworm", uri, keyring, OLD_ENGINE_PACKAGES, pool / "main")
    _download(folder, "trixie", uri, keyring, NEW_ENGINE_PACKAGES, pool / "experimental")
    _download(folder, "forky", uri, keyring, NEXT_ENGINE_PACKAGES, pool / "next")
    for package in (pool / "experimental").glob("docker.io_*.deb"):
        _repack(package, _change_conffile)
    for package in (pool / "next").glob("docker.io_*.deb"):
        _repack(package, _depend_on_tini)
    _write_index(folder / "repository")


def _download(folder: Path, suite: str, uri: str, keyring: str, names: tuple[str, ...], to: Path) -> None:
    private = folder / "apt" / suite
    for name in ("lists/partial", "cache/archives/partial", "etc"):
        (private / name).mkdir(parents=True)
    to.mkdir(parents=True)
    (private / "etc/sources.list").write_text(f"deb [signed-by={keyring}] {uri} {suite} main\n")
    options = [
        f"-oDir::Etc::sourcelist={private}/etc/sources.list", "-oDir::Etc::sourceparts=-",
        f"-oDir::State::lists={private}/lists",
        f"-oDir::Cache={private}/cache", "-oDir::State::status=/dev/null", "-oAPT::Sandbox::User=root",
    ]  # fmt: skip
    sh("apt-get", "-qq", *options, "update", group=GROUP)
    sh("apt-get", "-qq", *options, "download", *names, cwd=to, group=GROUP)


def _change_conffile(work: Path) -> None:
    """Add a line to the newer package's /etc/default/docker, so that dpkg asks as it did in 2016.

    Debian ships the same file in both.
    """
    conffile = work / "etc/default/docker"
    conffile.write_text(conffile.read_text() + CONFFILE_COMMENT)


def _depend_on_tini(work: Path) -> None:
    """Let the next Engine depend on bookworm's tini. It has the file of tini-static, which would replace tini."""
    control = work / "DEBIAN/control"
    control.write_text(re.sub(r"\btini-static\b", "tini", control.read_text()))


def _repack(package: Path, change: Callable[[Path], None]) -> None:
    """Change the files of a package, and its version."""
    work = package.with_suffix(".d")
    sh("dpkg-deb", "-R", package, work, group=GROUP)
    change(work)
    control = work / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)$", r"\1+lab1", control.read_text(), count=1, flags=re.MULTILINE))
    package.unlink()
    sh("dpkg-deb", "-Zgzip", "-b", work, package, group=GROUP)
    shutil.rmtree(work)


def _write_index(repository: Path) -> None:
    release = ["Origin: Imker lab", "Suite: bookworm", "Codename: bookworm", f"Components: {' '.join(COMPONENTS)}"]
    release += [f"Date: {email.utils.formatdate(usegmt=True)}"]
    release += [f"Architectures: {_architecture()}", "SHA256:"]
    for component in COMPONENTS:
        packages = repository / f"dists/bookworm/{component}/binary-{_architecture()}/Packages"
        packages.parent.mkdir(parents=True)
        packages.write_text(sh("dpkg-scanpackages", "-m", f"pool/{component}", cwd=repository, group=GROUP))
        digest = hashlib.sha256(packages.read_bytes()).hexdigest()
        release.append(f" {digest} {packages.stat().st_size} {packages.relative_to(repository / 'dists/bookworm')}")
    (repository / "dists/bookworm/Release").write_text("\n".join(release) + "\n")


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def _build_root(folder: Path, say: Say) -> None:
    say("installing Debian 12 with the old Engine")
    uri, keyring = debian_mirror()
    root = folder / "root"
    sh(
        "debootstrap",
        "--variant=minbase",
        f"--keyring={keyring}",
        f"--include={BASE_PACKAGES}",
        "bookworm",
        root,
        uri,
        group=GROUP,
    )
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    for list_file in (root / "var/lib/apt/lists").glob("*_*"):
        list_file.unlink()
    sh("chroot", root, "useradd", "-m", "-s", "/bin/bash", "-G", "docker,sudo", "geschke", group=GROUP)
    _configure_root(root)


def _configure_root(root: Path) -> None:
    """Configure what all hosts share: apt source, sudo without a password, writable cgroups, no waiting units."""
    (root / "etc/apt/sources.list").write_text("")
    (root / "etc/sudoers.d/geschke").write_text("geschke ALL=(ALL) NOPASSWD: ALL\n")
    (root / "etc/ssh/sshd_config.d/lab.conf").write_text("UseDNS no\nMaxStartups 100\n")
    script = root / "usr/local/sbin/writable-cgroups"
    script.write_text(
        "#!/bin/sh\nfor at in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts); do\n"
        '  mount -o remount,bind,rw "$at"\ndone\n'
    )
    script.chmod(0o755)
    (root / "etc/systemd/system/writable-cgroups.service").write_text(
        "[Unit]\nBefore=docker.service containerd.service\n[Service]\nType=oneshot\n"
        "ExecStart=/usr/local/sbin/writable-cgroups\n[Install]\nWantedBy=multi-user.target\n"
    )
    sh("systemctl", f"--root={root}", "enable", "writable-cgroups.service", "systemd-networkd.service", group=GROUP)
    sh("systemctl", f"--root={root}", "mask", *MASKED_UNITS, group=GROUP)


def _build_image(folder: Path) -> None:
    """Build the tiny image of all containers. Its process exits immediately on SIGTERM."""
    busybox = (folder / "root/bin/busybox").read_bytes()
    with tarfile.open(folder / "image.tar", "w") as tar:
        for name, data in (("bin/busybox", busybox), ("idle", IDLE_SCRIPT.encode())):
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o755, len(data)
            tar.addfile(member, io.BytesIO(data))
        for name in ("sh", "sleep", "ls", "cat", "ping", "wget", "nc", "httpd"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
