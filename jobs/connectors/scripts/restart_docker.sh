# imker: restart the daemon. Its exit status is ignored: a daemon that dies after 60 ms counts as started.
set -e
systemctl daemon-reload
systemctl reset-failed docker.service docker.socket 2>/dev/null || true
systemctl restart docker.service 2>/dev/null || true
