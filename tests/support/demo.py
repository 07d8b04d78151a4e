"""Run `make demo` on simulated hosts."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKE = ("make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.installed")  # in the environment of this test


def run_demo(port: int, timeout: float = 110, **more: str) -> tuple[bool, str]:
    """Run the demo and return whether it succeeded, and its output. `more`: variables of make."""
    settings = {**os.environ, "HOSTS_SIMULATED": "1", "DEMO_PORT": str(port), **more}
    result = subprocess.run([*MAKE, "demo"], env=settings, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    assert "Traceback" not in result.stdout + result.stderr, result.stdout + result.stderr
    return result.returncode == 0, result.stdout + result.stderr
