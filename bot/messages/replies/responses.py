"""Render the bot's private replies, which only the requester sees. Pure."""

import difflib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from bot.auth.policy import Denied
from bot.commands.model import CommandSpec, UsageError
from bot.messages.block_kit import TEXT_LIMIT, Message, ephemeral, section, sentence
from bot.messages.escape import escape_mrkdwn, escape_with_code, inline_code
from bot.messages.runs.findings import finding_line, render_findings
from bot.records import RunRecord
from imker.protocol.values import Finding
from imker.text import truncate

MAX_ECHOED = 80  # characters of a command that a reply repeats
AllowedCommands = Mapping[str, tuple[str, ...]]  # command names, each with patterns of the hosts that it is allowed for


def usage_error(error: UsageError, text: str, allowed: AllowedCommands, hosts: Sequence[str]) -> Message:
    """Say what is wrong with a command and how to type it.

    `text`: the normalized command; `hosts`: the names in the inventory.
    """
    suggestion = escape_with_code(_suggestion(error, text, allowed, hosts))
    return ephemeral(f"{escape_mrkdwn(error.text)}\n{suggestion}", "misuse")


def _suggestion(error: UsageError, text: str, allowed: AllowedCommands, hosts: Sequence[str]) -> str:
    if error.spec is None:
        return error.usage
    if error.unknown_host:
        candidates = [*_allowed_hosts("plan", allowed, hosts), *_allowed_hosts(error.spec.name, allowed, hosts)]
        suggestions = difflib.get_close_matches(error.unknown_host, candidates, 1, cutoff=0.5)
        return f"Did you mean `/swarm {_corrected(error, text, suggestions[0])}`?" if suggestions else error.usage
    shown_example = example(error.spec, allowed, hosts)
    return f"`{error.usage}`" + (f", for example: `{shown_example}`" if shown_example != error.usage else "")


def _corrected(error: UsageError, text: str, host: str) -> str:
    """Return the command with this host in place of the unknown one."""
    name = re.compile(rf"(?<![\w.-]){re.escape(error.unknown_host)}(?![\w.-])", re.IGNORECASE)
    return truncate(name.sub(host, text.replace("`", "'")), MAX_ECHOED)


def example(command: CommandSpec, allowed: AllowedCommands, hosts: Sequence[str]) -> str:
    """Return an example with a host that the requester may use the command on, or "HOST" if there is none."""
    host = next(iter(_allowed_hosts(command.name, allowed, hosts)), "HOST")
    return f"/swarm {command.example.format(host=host)}"


def _allowed_hosts(command: str, allowed: AllowedCommands, hosts: Sequence[str]) -> list[str]:
    patterns = allowed.get(command, ())
    return [host for host in hosts if any(fnmatchcase(host, pattern) for pattern in patterns)]


def ambiguous_target(target: str, candidates: Sequence[RunRecord]) -> Message:
    """Ask for a run ID. `candidates`: those runs that the requester may see."""
    runs = ", ".join(f"`{record.run}` ({escape_mrkdwn(record.command_text)})" for record in candidates)
    lead = f"More than one run is waiting as {inline_code(target)}"
    return not_found(f"{lead}{': ' if runs else ''}{runs}. Specify the run ID.")


def denied(refusal: Denied) -> Message:
    """Say which permission is missing and who has it."""
    holders = [f"<!subteam^{i}>" if i.startswith("S") else f"<@{i}>" for i in refusal.holders if i != "*"]
    return ephemeral(sentence(refusal.reason) + (f" Ask {_either(holders)}." if holders else ""), "denied")


def _either(people: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(people[:-1]), people[-1])))


def doctor_report(findings: Sequence[Finding]) -> Message:
    """Return the bot's part of `/swarm doctor`. The RQ workers' part is a run."""
    lines = "\n".join(finding_line(finding) for finding in findings if finding.level != "pass")
    lead = "Checks of the bot" + ("" if lines else ": all passed")
    return Message(truncate(f"{lead}\n{lines}", TEXT_LIMIT), (section(f"*{lead}*"), *render_findings(findings)))


def not_found(text: str) -> Message:
    """Refuse because the target does not exist or has finished."""
    return ephemeral(text, "void")


def button_gone() -> Message:
    """Refuse because the button's question is closed, or its run is gone."""
    return not_found("This button no longer works. See `/swarm status`.")


def button_used(run: RunRecord) -> Message:
    """Refuse because the button has started this run before."""
    return not_found(f"<@{run.requester}> already used this button. See run `{run.run}`: `/swarm status {run.run}`.")


def rate_limited(limit: int) -> Message:
    """Refuse because of the rate limit, in commands and clicks per minute."""
    lead = f"Rate limit reached ({limit} commands and clicks per minute)."
    return ephemeral(f"{lead} Wait a minute. Earlier commands are not affected.", "often")


def too_many_runs(runs: int) -> Message:
    """Refuse because that many runs are open."""
    text = f"Not started: {runs} runs are already open. Finish or cancel some first (`/swarm status`)."
    return ephemeral(text, "often")


def info(text: str) -> Message:
    """Confirm something."""
    return ephemeral(text)


def not_saved(reason: str, certain: bool) -> Message:
    """Say that a command was not saved. `certain`: Redis rejected it. After a timeout it may have been saved."""
    if certain:
        return ephemeral(f"Not started: {reason}. Nothing was changed. Run the command again when that is fixed.")
    return ephemeral(
        f"Not started: {reason}. If Redis saved the command before that, it starts when Redis recovers. Check "
        "`/swarm status` before you run it again."
    )


def expired(text: str) -> Message:
    """Say that a delivery expired. `text`: the command, "" for a button."""
    subject = inline_code(f"/swarm {truncate(text, MAX_ECHOED)}") if text else "Your click"
    next_step = "if it isn't listed, run it again" if text else "if it had no effect, click again"
    return not_found(
        f"{subject} expired because the bot was down for more than 30 minutes. Check `/swarm status`; {next_step}."
    )


def deferred(reason: str) -> Message:
    """Say that a command was saved but cannot run until Redis recovers."""
    return ephemeral(
        f"Not started yet: {reason}. Your request is saved and starts as soon as Redis recovers, so don't repeat it. "
        "If that takes more than 30 minutes, Imker drops it and tells you."
    )
