"""The commands that a simulated host understands, in one table by argv.

Any other command exits with 127 and is recorded.

In: a Machine, argv, standard input. Out: exit status, stdout, and stderr that match the state of the host.
"""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from lab.simulated import conditions, docker_cli, script_table, scripts, sections, system_tools
from lab.simulated.machine import Machine
from lab.simulated.output import Output

HIGHEST = 2**53 - 1  # highest fencing token
FENCE_MARKER = "imker-fence"  # part of the script that wraps a fenced command


@dataclass(frozen=True)
class Rule:
    """A command by the prefix of its argv.

    `kind` of the recorded action is "" for a command that changes nothing. A `slow` command does not hold the host's
    lock. `title` is the name of a script's recorded action.
    """

    prefix: tuple[str, ...]
    handler: Callable[[Machine, list[str], str], Output]
    kind: str = ""
    slow: bool = False
    title: str = ""


RULES = (
    Rule(("true",), system_tools.do_nothing),
    Rule(("cat", "--"), system_tools.print_file),
    Rule(("cat",), system_tools.print_file),
    Rule(("rm", "-f", "--"), system_tools.remove_files, "file"),
    Rule(("usermod", "-aG", "docker", "--"), system_tools.add_to_docker, "group"),
    Rule(("systemctl", "show"), system_tools.show_unit),
    Rule(("systemd-run",), scripts.start_transient_unit, "unit"),
    Rule(("journalctl", "-u"), system_tools.print_journal),
    Rule(("dpkg-query", "-W"), system_tools.dpkg_query),
    Rule(("dpkg", "--audit"), system_tools.dpkg_audit),
    Rule(("timeout",), lambda machine, rest, stdin: run_words(machine, rest[1:], stdin)),
    Rule(("docker", "ps"), docker_cli.list_containers),
    Rule(("docker", "inspect"), docker_cli.inspect_containers),
    Rule(("docker", "info"), docker_cli.show_info),
    Rule(("docker", "version"), docker_cli.show_version),
    Rule(("docker", "logs"), docker_cli.show_logs),
    Rule(("docker", "rm"), docker_cli.remove_containers, "containers"),
    Rule(("docker", "start"), docker_cli.start_containers, "containers"),
    Rule(("perl", "-e"), scripts.probe_ports),
    # Commands and functions of the scripts that print sections.
    Rule(("clocks",), system_tools.print_clocks),
    Rule(("daemon_command_line",), system_tools.print_command_line),
    Rule(("show_file",), system_tools.print_file),
    Rule(("containers",), docker_cli.inspect_all),
    Rule(("engine_info",), docker_cli.print_engine_info),
    Rule(("docker", "network", "ls"), docker_cli.list_networks),
    Rule(("df", "-PB1"), conditions.show_disk),
    Rule(("ip", "-o", "addr", "show"), conditions.show_addresses),
    Rule(("ip", "-o", "link", "show"), conditions.show_links),
    Rule(("ip", "-4", "route", "show"), conditions.show_routes),
    Rule(("id", "-nG", "--"), conditions.show_groups),
    Rule(("iptables", "--version"), conditions.show_iptables),
    Rule(("ss", "-Htn"), conditions.show_store_connections),
    Rule(("packages",), system_tools.list_packages),
    Rule(("show_first_line",), system_tools.print_file),
    Rule(("lock_holder",), conditions.show_lock_holder),
    Rule(("unreadable_files",), conditions.show_unreadable_files),
)


def run_line(machine: Machine, line: str, stdin: str, source: str) -> Output:
    """Run a command line that came over SSH. `source` is the connection."""
    words = list(_split_words(line))
    if words[:3] == ["sudo", "-n", "--"]:
        words = words[3:]
    if words[:2] == ["sh", "-c"] and FENCE_MARKER in words[2]:
        return _run_fenced(machine, words, stdin, source)
    return _run_recorded(machine, words, stdin, source)


@lru_cache(256)
def _split_words(line: str) -> tuple[str, ...]:
    """Split a command line as a shell does. Long scripts take milliseconds, and many hosts get the same ones."""
    return tuple(shlex.split(line))


def _run_fenced(machine: Machine, words: list[str], stdin: str, source: str) -> Output:
    """Run a command with a fencing token, unless the host has seen a later one. One command at a time."""
    path, *claim, wait = words[4:9]
    if not machine.fence_lock.acquire(timeout=float(wait)):
        return Output(75, "", f"imker-fence busy {machine.disk.texts.get(path, '')}")
    try:
        current_claim = machine.disk.texts.get(path, "0").split()
        if int(current_claim[0]) > HIGHEST:
            return Output(77, "", f"imker-fence broken {' '.join(current_claim)}\n")
        if current_claim != claim and int(current_claim[0]) >= int(claim[0]):
            return Output(76, "", f"imker-fence later {' '.join(current_claim)}\n")
        machine.disk.write(path, " ".join(claim) + "\n")
        return _run_recorded(machine, words[9:], stdin, source, int(claim[0]))
    finally:
        machine.fence_lock.release()


def _run_recorded(machine: Machine, words: list[str], stdin: str, source: str, token: int = 0) -> Output:
    rule = _find_rule(words)
    if rule is None:
        line = shlex.join(words)
        machine.world.history.record_unknown(machine.name, line)
        return Output(127, "", f"{words[0] if words else ''}: command not found\n")
    if not rule.kind:
        return _run_rule(rule, machine, words, stdin)
    detail = (f"{rule.title} {shlex.join(words[4:])}" if rule.title else shlex.join(words))[:200]
    with machine.world.history.record_action(machine.name, rule.kind, detail, source, token) as action:
        output = _run_rule(rule, machine, words, stdin)
        action.error = output.stderr.strip()[-200:] if output.exit_status else ""
        return output


def _run_rule(rule: Rule, machine: Machine, words: list[str], stdin: str) -> Output:
    with contextlib.nullcontext() if rule.slow else machine.lock:
        return rule.handler(machine, words[len(rule.prefix) :], stdin)


def run_words(machine: Machine, words: list[str], stdin: str) -> Output:
    """Run a command within another one, which holds the host's lock."""
    rule = _find_rule(words)
    if rule is None:
        machine.world.history.record_unknown(machine.name, shlex.join(words))
        return Output(127, "", "command not found\n")
    return rule.handler(machine, words[len(rule.prefix) :], stdin)


def _print_sections(machine: Machine, rest: list[str], stdin: str) -> Output:
    return sections.run_section_script(machine, rest[0], rest[2:], run_words)


def _find_rule(words: list[str]) -> Rule | None:
    if words[:2] == ["sh", "-c"] and len(words) > 2:
        if words[2].endswith(sections.MARKER):
            return Rule(("sh", "-c"), _print_sections)
        return next(
            (
                Rule(("sh", "-c"), script.handler, script.kind, script.slow, script.title)
                for script in script_table.SCRIPTS
                if script.marker in words[2]
            ),
            None,
        )
    return next((rule for rule in RULES if tuple(words[: len(rule.prefix)]) == rule.prefix), None)
