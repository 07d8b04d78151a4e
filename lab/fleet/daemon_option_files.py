"""Daemon options of a host as files, as docker-machine of several ages wrote them. Pure."""

import json

from lab.fleet.hosts import LabHost

LISTEN_ADDRESSES = ("tcp://0.0.0.0:2376", "unix:///var/run/docker.sock")
TLS_PATHS = {
    "tlscacert": "/etc/docker/ca.pem",
    "tlscert": "/etc/docker/server.pem",
    "tlskey": "/etc/docker/server-key.pem",
}
LABELS = ("instance=large", "provider=generic")
DEFAULTS_PATH, UNIT_PATH = "/etc/default/docker", "/etc/systemd/system/docker.service"
DROP_IN_PATH, DAEMON_JSON_PATH = "/etc/systemd/system/docker.service.d/10-machine.conf", "/etc/docker/daemon.json"


def option_files(host: LabHost, classic: bool) -> dict[str, str]:
    """Return path -> text. With `classic`, the files contain the classic Swarm's options, as on the disk of 2016."""
    cluster = host.cluster_options if classic and host.in_classic_swarm else {}
    over_tls = host.engine_over == "tls"
    flags = _flags(cluster, over_tls)
    renderers = {
        "defaults": lambda: {DEFAULTS_PATH: _defaults_text(flags)},
        "unit": lambda: {UNIT_PATH: _unit_text(flags, classic and host.mount_flags)},
        "drop-in": lambda: {DROP_IN_PATH: _drop_in_text(flags)},
        "json": lambda: {
            DAEMON_JSON_PATH: _daemon_json_text(cluster, over_tls, classic and host.live_restore),
            DROP_IN_PATH: _bare_drop_in_text(),
        },
    }
    return renderers[host.options_place]()


def _listen_addresses(over_tls: bool) -> tuple[str, ...]:
    return LISTEN_ADDRESSES if over_tls else LISTEN_ADDRESSES[1:]


def _flags(cluster: dict[str, str], over_tls: bool) -> list[str]:
    tls = ["--tlsverify", *(f"--{name} {path}" for name, path in TLS_PATHS.items())]
    return [
        *(f"-H {address}" for address in _listen_addresses(over_tls)),
        *(tls if over_tls else ()),
        *(f"--label {label}" for label in LABELS),
        *(f"--{key}={value}" for key, value in cluster.items()),
    ]


def _defaults_text(flags: list[str]) -> str:
    lines = "\n".join(flags)
    return f"# Docker Upstart and SysVinit configuration file\n\nDOCKER_OPTS='\n{lines}\n'\n"


def _unit_text(flags: list[str], mount_flags: bool) -> str:
    """Return the unit of docker-machine before 0.10, with all options on one line. It shadows the packaged unit."""
    slave = "MountFlags=slave\n" if mount_flags else ""
    return (
        "[Unit]\nDescription=Docker Application Container Engine\nAfter=network.target docker.socket\n"
        "Requires=docker.socket\n\n[Service]\n"
        f"ExecStart=/usr/sbin/dockerd {' '.join(flags)}\n"
        f"{slave}LimitNOFILE=1048576\nLimitNPROC=1048576\nLimitCORE=infinity\n"
        "Environment=\n\n[Install]\nWantedBy=multi-user.target\n"
    )


def _drop_in_text(flags: list[str]) -> str:
    return f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {' '.join(flags)} \nEnvironment=\n"


def _bare_drop_in_text() -> str:
    """Return a drop-in without -H, as needed with `hosts` in daemon.json."""
    return "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd\n"


def _daemon_json_text(cluster: dict[str, str], over_tls: bool, live_restore: bool) -> str:
    tls = {"tlsverify": True, **TLS_PATHS} if over_tls else {}
    document = {"hosts": list(_listen_addresses(over_tls)), **tls, "labels": list(LABELS), **cluster}
    if live_restore:
        document["live-restore"] = True
    return json.dumps(document, indent=2) + "\n"
