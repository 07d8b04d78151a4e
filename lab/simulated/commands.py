"""What a simulated host understands of what is typed on it: the one table, by argv. All else exits 127, and is noted.

In: a Machine, argv, standard input. Out: an exit status and two texts, true of the host's state.
"""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from lab.simulated import docker, scripts, system
from lab.simulated.machine import Machine
from lab.simulated.said import Said

HIGHEST = 2**53 - 1  # number of a fence
FENCED = "imker-fence"  # in the script that a command is run under


@dataclass(frozen=True)
class Rule:
    """`starts`: how argv begins; `kind`: of the deed, "" for no change; `slow`: others may go on meanwhile."""

    starts: tuple[str, ...]
    does: Callable[[Machine, list[str], str], Said]
    kind: str = ""
    slow: bool = False


RULES = (
    Rule(("true",), system.nothing),
    Rule(("cat", "--"), system.cat),
    Rule(("cat",), system.cat),
    Rule(("stat", "-c", "%.Y", "--"), system.stat),
    Rule(("rm", "-f", "--"), system.remove, "file"),
    Rule(("usermod", "-aG", "docker", "--"), system.add_to_docker, "group"),
    Rule(("systemctl", "show"), system.show),
    Rule(("systemctl", "stop"), system.stop, "unit"),
    Rule(("systemctl", "reset-failed"), system.reset_failed),
    Rule(("systemctl", "daemon-reload"), system.nothing),
    Rule(("systemctl", "restart", "docker.service"), system.restart, "restart", slow=True),
    Rule(("systemd-run",), scripts.systemd_run, "unit"),
    Rule(("journalctl", "-u"), system.journal),
    Rule(("dpkg-query", "-W"), system.dpkg_query),
    Rule(("dpkg", "--audit"), system.dpkg_audit),
    Rule(("timeout",), lambda machine, rest, stdin: perform(machine, rest[1:], stdin)),
    Rule(("dockerd", "--validate"), docker.validate),
    Rule(("docker", "ps"), docker.ps),
    Rule(("docker", "inspect"), docker.inspect),
    Rule(("docker", "info"), docker.info),
    Rule(("docker", "version"), docker.version),
    Rule(("docker", "logs"), docker.logs),
    Rule(("docker", "rm"), docker.remove, "containers"),
    Rule(("docker", "stop"), docker.stop, "containers"),
    Rule(("docker", "start"), docker.start, "containers"),
    Rule(("docker", "update"), docker.update, "containers"),
    Rule(("perl", "-e"), scripts.call_ports),
)


def typed(machine: Machine, line: str, stdin: str, source: str) -> Said:
    """A line as it comes over SSH. `source`: the connection."""
    words = shlex.split(line)
    if words[:3] == ["sudo", "-n", "--"]:
        words = words[3:]
    if words[:2] == ["sh", "-c"] and FENCED in words[2]:
        return _fenced(machine, words, stdin, source)
    return _typed(machine, words, stdin, source)


def _fenced(machine: Machine, words: list[str], stdin: str, source: str) -> Said:
    """Runs a command for a mark, if no other's number on the host is as high; one at a time."""
    path, *mine, wait = words[4:9]
    if not machine.fence.acquire(timeout=float(wait)):
        return Said(75, "", f"imker-fence busy {machine.disk.texts.get(path, '')}")
    try:
        seen = machine.disk.texts.get(path, "0").split()
        if int(seen[0]) > HIGHEST:
            return Said(77, "", f"imker-fence broken {' '.join(seen)}\n")
        if seen != mine and int(seen[0]) >= int(mine[0]):
            return Said(76, "", f"imker-fence later {' '.join(seen)}\n")
        machine.disk.write(path, " ".join(mine) + "\n")
        return _typed(machine, words[9:], stdin, source, int(mine[0]))
    finally:
        machine.fence.release()


def _typed(machine: Machine, words: list[str], stdin: str, source: str, fence: int = 0) -> Said:
    rule = _rule(words)
    if rule is None:
        line = shlex.join(words)
        machine.world.history.not_known(machine.name, line)
        return Said(127, "", f"{words[0] if words else ''}: command not found\n")
    if not rule.kind:
        return _done(rule, machine, words, stdin)
    with machine.world.history.deed(machine.name, rule.kind, shlex.join(words)[:200], source, fence) as deed:
        said = _done(rule, machine, words, stdin)
        deed.said = said.err.strip()[-200:] if said.code else ""
        return said


def _done(rule: Rule, machine: Machine, words: list[str], stdin: str) -> Said:
    with contextlib.nullcontext() if rule.slow else machine.lock:
        return rule.does(machine, words[len(rule.starts) :], stdin)


def perform(machine: Machine, words: list[str], stdin: str) -> Said:
    rule = _rule(words)
    return rule.does(machine, words[len(rule.starts) :], stdin) if rule else Said(127, "", "command not found\n")


def _rule(words: list[str]) -> Rule | None:
    if words[:2] == ["sh", "-c"] and len(words) > 2:
        return next(
            (Rule(("sh", "-c"), script.does, script.kind) for script in scripts.SCRIPTS if script.has in words[2]),
            None,
        )
    return next((rule for rule in RULES if tuple(words[: len(rule.starts)]) == rule.starts), None)
