#!/bin/sh
# Move one host from classic Swarm into swarm mode. This is what a person would write for one evening: it does the least
# that does the job and checks nothing. It runs on the host as root:
#
#   migrate.sh VERSION ADDRESS                   initializes a swarm and prints its worker and manager tokens
#   migrate.sh VERSION ADDRESS TOKEN MANAGER     joins a swarm
set -eu
export DEBIAN_FRONTEND=noninteractive
version=$1 address=$2 token=${3-} manager=${4-}

idle=$(docker ps --filter name=batch --format '{{.Names}}')  # it has no restart policy
docker rm -f swarm-agent swarm-agent-master >/dev/null 2>&1 || true
if docker inspect consulnode01 >/dev/null 2>&1; then docker update --restart=no consulnode01 >/dev/null; fi

sed -i 's/ main$/ experimental/' /etc/apt/sources.list.d/docker.list
apt-get -qq update
apt-get -qqy -o Dpkg::Options::=--force-confold install "docker.io=$version" >/dev/null

# The options of the classic Swarm, in each file that may have them. `live-restore` does not work with swarm mode.
for file in /etc/default/docker /etc/systemd/system/docker.service /etc/systemd/system/docker.service.d/*.conf; do
  if [ -f "$file" ]; then
    sed -i -E 's/ ?--cluster-(store|advertise)=[^ ]+//g; /^MountFlags=slave$/d' "$file"
  fi
done
if [ -f /etc/docker/daemon.json ]; then
  sed -i -zE 's/,\s*"(cluster-store|cluster-advertise)": "[^"]*"//g; s/,\s*"live-restore": true//' /etc/docker/daemon.json
fi

systemctl daemon-reload
systemctl restart docker
until docker version >/dev/null 2>&1; do sleep 0.1; done
[ -z "$idle" ] || docker start batch >/dev/null
docker stop consulnode01 >/dev/null 2>&1 || true

if [ -z "$token" ]; then
  docker swarm init --advertise-addr "$address" --default-addr-pool 10.0.0.0/8 >/dev/null
  docker swarm join-token -q worker
  docker swarm join-token -q manager
else
  docker swarm join --advertise-addr "$address" --token "$token" "$manager:2377" >/dev/null
fi
