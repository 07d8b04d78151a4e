"""No process imports what it does not need: it would hold it in memory as long as it runs."""

import subprocess
import sys

import pytest

OPTIONAL = ["rich", "pygments", "invoke", "charset_normalizer", "chardet", "valkey", "unittest", "typer"]
OF_HOSTS = ["paramiko", "docker", "requests", "urllib3", "nacl", "cryptography.x509"]
OF_SLACK = ["slack_sdk", "slack_bolt"]
OF_HTTP = ["starlette", "uvicorn", "anyio", "httpx", "jinja2"]
FORBIDDEN = {
    "bot.serve": [*OPTIONAL, *OF_HOSTS, *OF_HTTP, "jobs", "lab", "yaml", "bot.doctor", "bot.commands.reference"],
    "bot.reconciler.__main__": [*OPTIONAL, *OF_HOSTS, *OF_HTTP, "jobs", "lab", "yaml", "bot.doctor", "slack_bolt"],
    "jobs.__main__": [*OPTIONAL, *OF_SLACK, *OF_HTTP, "bot", "lab", "yaml"],
    "imker.embedded_redis": [*OPTIONAL, *OF_HOSTS, *OF_SLACK, *OF_HTTP, "redis", "rq", "pydantic", "structlog"],
}
PRINT_MODULES = "import sys, {0}; from imker import embedded_redis; embedded_redis.program(); print(*sys.modules)"


@pytest.mark.processes
@pytest.mark.parametrize("module", FORBIDDEN)
def test_imports_nothing_that_it_does_not_need(module: str) -> None:
    imported = subprocess.check_output([sys.executable, "-c", PRINT_MODULES.format(module)], text=True).split()
    assert module in imported
    assert not set(FORBIDDEN[module]) & set(imported)
