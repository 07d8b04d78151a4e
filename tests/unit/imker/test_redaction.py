"""Secrets are masked, and the text around them stays readable."""

import time

import pytest

from imker.redaction import redact

MASKED = {  # EASY: a plain password; HARD: one with special characters
    "http_proxy=http://imker:HARD@proxy:3128/": "http_proxy=http://…@proxy:3128/",
    "http_proxy=imker:HARD@proxy:3128": "http_proxy=…@proxy:3128",
    'Environment="HTTPS_PROXY=imker:HARD@proxy" "NO_PROXY=x"': 'Environment="HTTPS_PROXY=…@proxy" "NO_PROXY=x"',
    "HTTP_PROXY=//imker:HARD@proxy:3128": "HTTP_PROXY=//…@proxy:3128",
    '{"http-proxy": "http:\\/\\/imker:HARD@proxy", "dns": []}': '{"http-proxy": "http:\\/\\/…@proxy", "dns": []}',
    "Err:1 http://imker%40corp:HARD@proxy:3128 main": "Err:1 http://…@proxy:3128 main",
    "https://EASY@github.com/x": "https://…@github.com/x",
    "redis://:HARD@host:6379/0": "redis://…@host:6379/0",
    "password=HARD": "password=…",
    "password=a,HARD": "password=…",
    "password='EASY' x": "password='…' x",
    "token = 'EASY two' x": "token = '…' x",
    'PASSWORD="two HARD" X=y': 'PASSWORD="…" X=y',
    'PASSWORD="a \\" HARD" X=y': 'PASSWORD="…" X=y',
    'Environment="PASSWORD=two HARD" "X=y"': 'Environment="PASSWORD=…" "X=y"',
    '{\\"password\\": \\"a bHARD\\", \\"x\\": 1}': '{\\"password\\": \\"…\\", \\"x\\": 1}',
    "DB_PASS=HARD": "DB_PASS=…",
    "PASSPHRASE=HARD": "PASSPHRASE=…",
    "pwd=HARD;": "pwd=…",
    '{"auths": {"registry": {"auth": "HARD"}}}': '{"auths": {"registry": {"auth": "…"}}}',
    "Authorization: Basic EASY": "Authorization: Basic …",
    "authorization: Bearer EASY": "authorization: Bearer …",
    '"Authorization": "Basic EASY"': '"Authorization": "Basic …"',
    "X-Registry-Auth: HARD": "X-Registry-Auth: …",
    "--log-opt splunk-token=HARD": "--log-opt splunk-token=…",
    "--log-opt splunk-token HARD --debug": "--log-opt splunk-token … --debug",
    "--password HARD --debug": "--password … --debug",
    "AWS_SECRET_ACCESS_KEY=HARD": "AWS_SECRET_ACCESS_KEY=…",
    "credentials: HARD": "credentials: …",
    "https://host/blob?sv=1&sig=HARD": "https://host/blob?sv=1&sig=…",
    "secret: |\n  HARD\nother: x": "secret: …other: x",
    "docker swarm join --token SWMTKN-1-EASY 198.18.0.1:2377": "docker swarm join --token … 198.18.0.1:2377",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nHARD\n-----END OPENSSH PRIVATE KEY-----\nx": "…\nx",
}
READABLE = [
    "nginx:1.11@sha256:9f8d2a1b",
    "registry.example.org:5000/team/web:1.11@sha256:9f8d2a1b not found",
    "docker.io/library/nginx:1.11",
    "--label instance=large --label provider=generic",
    "-H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --tlsverify --tlskey /etc/docker/server-key.pem",
    "--cluster-store=consul://192.168.10.64:8500 --cluster-advertise=eth0:2376",
    "http://192.168.10.64:8500/v1/kv",
    "docker swarm join-token worker; docker swarm join-token --rotate worker",
    "author: somebody, compass: north, bypass=1",
    "the password is wrong; no token was given; authentication failed",
    '{"authorization-plugins": ["opa"], "insecure-registries": ["192.168.10.64:5000"]}',
    "fail2ban[311]: sshd: geschke@192.168.10.60 at 08:43:40",
    "deb [signed-by=/etc/apt/keyrings/docker.gpg] https://download.docker.com/linux/debian bookworm stable",
    "pass  host keys: all 8 are known",
]


@pytest.mark.parametrize(("form", "expected_text"), MASKED.items(), ids=str)
def test_masks_secrets(form: str, expected_text: str) -> None:
    text = redact(form.replace("EASY", "c4nary77").replace("HARD", "c4nary/p@ss'w"))
    assert "c4nary" not in text
    assert text == expected_text


@pytest.mark.parametrize("text", READABLE)
def test_leaves_other_text_readable(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "word", ["x", "a:", ",a:b", "token", "auth=", "://u:", ":\\/\\/u:", '"', "--token", "-", "_pass"]
)
def test_masks_long_text_in_linear_time(word: str) -> None:
    """A pattern that restarts at each character of a host's text would take hours."""
    began = time.monotonic()
    redact(word * (100_000 // len(word)))
    assert time.monotonic() - began < 20
