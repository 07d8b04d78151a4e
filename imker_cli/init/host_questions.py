"""Ask for the hosts and the managers, and show the SSH host keys to confirm."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imker_cli.init.answers import names
from imker_cli.init.answers.file_texts import Sections, host_sections, render_toml
from imker_cli.init.answers.model import AnswerError, FoundHosts
from imker_cli.init.host_sources import find_default_source, find_hosts
from imker_cli.init.terminal import Terminal, parse_yes
from jobs import settings
from jobs.connectors.ssh_client.host_keys import PresentedKey, read_host_key
from jobs.errors import Unreachable
from jobs.inventory.hosts import read_hosts
from jobs.inventory.jump_hosts import list_jumps
from jobs.inventory.model import Host, Inventory

MAX_PARALLEL_HOSTS = 16
USER_KNOWN_HOSTS = Path("~/.ssh/known_hosts")
SOURCES = """\
Where are your hosts? Type the path of docker-machine's store, of an Ansible inventory, or of an SSH configuration,
with the names of hosts or groups if you do not want all of them; or type hosts: kaditz=geschke@192.168.10.39
"""
CHECK_HINT = "Compare them with the hosts' consoles: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`"


@dataclass(frozen=True)
class HostAnswers:
    """[inventory] and the hosts for imker.toml, and the lines for known_hosts."""

    sections: Sections
    known_hosts_lines: tuple[str, ...]


def ask_hosts(terminal: Terminal, known_hosts: Path) -> HostAnswers:
    """Ask for hosts, managers, and whether their host keys are right. `known_hosts`: the file that is written."""
    terminal.say(SOURCES)
    selection, inventory = terminal.ask("Hosts", lambda text: _find_checked(text, known_hosts), find_default_source())
    terminal.say(f"  Found: {', '.join(inventory)}")
    suggested = names.suggest_managers(inventory, (host.name for host in inventory.values() if host.classic_master))
    managers = terminal.ask(
        "Which of them are to be managers (an odd number)",
        lambda text: names.find_managers(text, inventory),
        ", ".join(suggested),
    )
    lines = _confirm_keys(terminal, inventory, known_hosts)
    return HostAnswers(host_sections(selection, str(known_hosts), managers), lines)


def _find_checked(text: str, known_hosts: Path) -> tuple[FoundHosts, Inventory]:
    """Return the hosts of an answer if Imker can use all of them. Raise AnswerError with all problems."""
    selection = find_hosts(text)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "imker.toml"
        file.write_text(render_toml(host_sections(selection, str(known_hosts))))
        loaded, problems = settings.read_settings(file)
    inventory, host_problems = read_hosts(loaded)
    lines = [line.removeprefix(f"{file}: ") for line in (*problems, *host_problems)]
    wrong = [line for line in lines if not line.startswith("[inventory] known_hosts")]  # it is written at the end
    if wrong:
        raise AnswerError("\n  ".join([*wrong, "Correct this, or choose other hosts, and answer again."]))
    return selection, inventory


def _confirm_keys(terminal: Terminal, inventory: Inventory, known_hosts: Path) -> tuple[str, ...]:
    """Show the key of each host, and ask once for all new ones. Return the lines to add. Raise AnswerError.

    Hosts behind a jump host follow it: nothing logs in to a jump host before its key is confirmed.
    """
    hosts = dict.fromkeys((*list_jumps(inventory), *inventory.values()))
    lines: tuple[str, ...] = ()
    terminal.say("SSH host keys:")
    with tempfile.TemporaryDirectory() as folder:
        jump_keys = Path(folder) / "known_hosts"
        for depth in sorted({len(host.jumps) for host in hosts}):
            jump_keys.write_text("".join(f"{line}\n" for line in lines))
            layer = [host for host in hosts if len(host.jumps) == depth]
            lines += _confirm_layer(terminal, layer, known_hosts, jump_keys)
    return lines


def _confirm_layer(terminal: Terminal, hosts: list[Host], known_hosts: Path, jump_keys: Path) -> tuple[str, ...]:
    """Show and confirm the keys of hosts with the same number of jump hosts. Return their lines."""
    keys, problems = _read_keys(hosts, (known_hosts, USER_KNOWN_HOSTS.expanduser()), jump_keys)
    width = max((len(key.host) for key in keys), default=0)
    for key in keys:
        terminal.say(f"  {key.host:<{width}}  {key.kind}  {key.fingerprint}{' (known)' * (key.state == 'known')}")
    for problem in problems:
        terminal.say(f"  {problem}. Run `imker init --force` again when it can be reached, or add its key yourself.")
    changed = [key.host for key in keys if key.state == "changed"]
    if changed:
        raise AnswerError(
            f"The host key of {', '.join(changed)} differs from the one in {USER_KNOWN_HOSTS} or {known_hosts}. "
            "If the host was reinstalled, check its key on its console and remove the old line. If not, ask why."
        )
    if any(key.state == "new" for key in keys):
        terminal.say(CHECK_HINT)
        if not terminal.ask("Are all new keys right (yes or no)", parse_yes):
            raise AnswerError("Ask the hosts' administrators for the right keys, then run `imker init` again.")
    return tuple(key.line for key in keys)


def _read_keys(
    hosts: list[Host], known_hosts: tuple[Path, ...], jump_keys: Path
) -> tuple[list[PresentedKey], list[str]]:
    """Return the keys of the hosts, and a problem for each that cannot be reached."""
    with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
        results = list(pool.map(lambda host: _try_key(host, known_hosts, jump_keys), hosts))
    keys = [result for result in results if isinstance(result, PresentedKey)]
    return keys, [result for result in results if isinstance(result, str)]


def _try_key(host: Host, known_hosts: tuple[Path, ...], jump_keys: Path) -> PresentedKey | str:
    try:
        return read_host_key(host, known_hosts, jump_keys)
    except Unreachable as error:
        return error.summary
