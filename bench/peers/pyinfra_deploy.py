"""Move hosts from classic Swarm into swarm mode, as migrate.sh does, with pyinfra's operations."""

from pyinfra import host
from pyinfra.facts.files import File, FindFiles
from pyinfra.operations import apt, files, server, systemd

OPTION_FILES = (
    "/etc/default/docker",
    "/etc/systemd/system/docker.service",
    *(host.get_fact(FindFiles, "/etc/systemd/system/docker.service.d") or ()),
)
DAEMON_JSON = "/etc/docker/daemon.json"

server.shell(
    name="Remove the classic Swarm's containers, and let the store end with the restart",
    commands=[
        "docker ps --filter name=batch --format '{{.Names}}' > /run/idle",
        "docker rm -f swarm-agent swarm-agent-master >/dev/null 2>&1 || true",
        "docker update --restart=no consulnode01 >/dev/null 2>&1 || true",
    ],
    _sudo=True,
)
files.replace(
    name="Switch the apt source", path="/etc/apt/sources.list.d/docker.list", text=" main$", replace=" experimental",
    _sudo=True,
)  # fmt: skip
apt.packages(
    name="Upgrade the Engine",
    packages=[f"docker.io={host.data.version}"],
    update=True,
    extra_install_args="-o Dpkg::Options::=--force-confold",
    _sudo=True,
)
for path in OPTION_FILES:
    if host.get_fact(File, path, _sudo=True):
        for text in (" *--cluster-store=[^ ]*", " *--cluster-advertise=[^ ]*", "^MountFlags=slave$"):
            files.replace(name=f"Clean {path}", path=path, text=text, replace="", _sudo=True)
if host.get_fact(File, DAEMON_JSON, _sudo=True):
    server.shell(
        name=f"Clean {DAEMON_JSON}",
        commands=[
            r"""sed -i -zE 's/,\s*"(cluster-store|cluster-advertise)": "[^"]*"//g;"""
            rf""" s/,\s*"live-restore": true//' {DAEMON_JSON}""",
        ],
        _sudo=True,
    )
systemd.service(name="Restart the Engine", service="docker", restarted=True, daemon_reload=True, _sudo=True)
server.shell(
    name="Start the containers again",
    commands=[
        "until docker version >/dev/null 2>&1; do sleep 0.1; done",
        "[ ! -s /run/idle ] || docker start batch >/dev/null",
        "docker stop consulnode01 >/dev/null 2>&1 || true",
    ],
    _sudo=True,
)
address, token, manager = host.data.address, host.data.token, host.data.first_manager
join = f"docker swarm join --advertise-addr {address} --token {token} {manager}:2377"
init = f"docker swarm init --advertise-addr {address} --default-addr-pool 10.0.0.0/8"
server.shell(name="Enter the swarm", commands=[join if token else init], _sudo=True)
