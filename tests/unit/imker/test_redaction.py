"""Secrets are masked, and the text around them stays readable."""

import time

import pytest

from imker.redaction import OUTPUT_LENGTH, redact, redact_output

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
    "aws_access_key_id = AKIAQYLPMN5HIL5C4NRY": "aws_access_key_id = …",
    "AWS_SESSION_TOKEN=EASY": "AWS_SESSION_TOKEN=…",
    '{"KeyId": "ASIAQYLPMN5HIL5C4NRY", "SecretAccessKey": "EASY"}': '{"KeyId": "…", "SecretAccessKey": "…"}',
    "?X-Amz-Credential=AKIAQYLPMN5HIL5C4NRY%2F2026": "?X-Amz-Credential=…",
    "key%3DAKIAQYLPMN5HIL5C4NRY&x": "key%3D…&x",
    "https://hooks.slack.com/services/T00/B00/EASY failed": "https://hooks.slack.com/services/… failed",
    "https:\\/\\/hooks.slack.com\\/services\\/T0\\/B0\\/EASY,": "https:\\/\\/hooks.slack.com\\/services\\/…,",
    "POST hooks.slack.com/workflows/T0/A0/EASY": "POST hooks.slack.com/workflows/…",
    "https%3A%2F%2Fhooks.slack.com%2Fservices%2FT0%2FEASY": "https%3A%2F%2Fhooks.slack.com%2Fservices%2F…",
    "clone with ghp_EASYpmA5qZ1oT2uW3xY4: denied": "clone with …: denied",
    "gho_EASYpmA5qZ1oT2uW3xY4": "…",
    "github_pat_11EASYpmA5q_Z1oT2uW3xY4": "…",
    "glpat-EASYpmA5q_Z1-oT2uW3xY4.": "….",
    "https://ghp_EASYpmA5qZ1oT2uW3xY4@github.com/x": "https://…@github.com/x",
    "got eyJhbGciOiJub25lIn0.eyJzdWIiOiJEASY.sigEASY_-x, expired": "got …, expired",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJEASY.": "…",
    "jwt%20eyJhbGciOiJub25lIn0.eyJzdWIiOiJEASY.x": "jwt%20…",
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
    "sha256:9f8d2a1b7c6e5d4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f",
    "node j8xsy2yb802bm1zq0l5v7t3kd, image eyjafjallajokull.example.org.local:5000/web",
    "AKIAS, AKIAQYLPMN5HIL5C4NRYX2, akiaqylpmn5hil5c4nry, XAKIAQYLPMN5HIL5C4NRY",
    "ghp_short, high_water_mark_of_the_buffer_pool, github_pattern_matching, glpat-short",
    "glibc-2.36-9+deb12u10, glpatch-2.0.0-1-of-some-package-name",
    "https://hooks.slack.com/ and https://slack.com/services/list",
    "eyJhbGciOiJub25lIn0 alone, key.eyJ.x, eyJ.eyJ.eyJ, a.b.c",
]


@pytest.mark.parametrize(("form", "expected_text"), MASKED.items(), ids=str)
def test_masks_secrets(form: str, expected_text: str) -> None:
    text = redact(form.replace("EASY", "c4nary77").replace("HARD", "c4nary/p@ss'w"))
    assert "c4nary" not in text.lower()
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


def test_the_end_of_an_output_has_no_half_of_a_secret() -> None:
    """The end begins in the middle of a secret, which its start would have shown to be one."""
    end = "x" * (OUTPUT_LENGTH - 4)
    text = redact_output(f"password=c4nary77c4nary77 {end}")
    assert (text, len(text)) == (f"d=… {end}", OUTPUT_LENGTH)
    assert "c4nary" not in redact_output("a" * 2**20 + f"\npassword={'c4nary77' * 20}\n")
