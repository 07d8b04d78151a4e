"""The bot's private answers: what it says to who asked, and to nobody else. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from bot.auth.policy import Denied
from bot.commands.model import CommandSpec, UsageError
from bot.commands.table import COMMANDS
from bot.messages.block_kit import TEXT_LIMIT, Message, ephemeral, section
from bot.messages.escape import escape_mrkdwn
from bot.messages.findings import finding_line, render_findings
from bot.records import RunRecord
from imker.protocol.values import Finding
from imker.text import truncate

MAX_ECHOED = 80  # characters of what was typed, in an answer to it
AllowedCommands = Mapping[
    str, tuple[str, ...]
]  # the verbs that a person may use, each with patterns of the hosts it is for


def usage_error(error: UsageError, allowed: AllowedCommands, hosts: Sequence[str]) -> Message:
    return ephemeral(f"{escape_mrkdwn(error.text)}\n{escape_mrkdwn(_suggestion(error, allowed, hosts))}", "misuse")


def _suggestion(error: UsageError, allowed: AllowedCommands, hosts: Sequence[str]) -> str:
    if error.spec is None:
        return error.usage
    if error.unknown_host:
        candidates = [*_allowed_hosts("plan", allowed, hosts), *_allowed_hosts(error.spec.name, allowed, hosts)]
        suggestions = difflib.get_close_matches(error.unknown_host, candidates, 1, cutoff=0.5)
        return f"Did you mean /swarm {error.spec.name} {suggestions[0]}?" if suggestions else error.usage
    return f"{error.usage}, for example: {example(error.spec, allowed, hosts)}"


def example(verb: CommandSpec, allowed: AllowedCommands, hosts: Sequence[str]) -> str:
    """With a host of theirs that the asker may do it to, if there is one."""
    return f"/swarm {verb.example.format(host=next(iter(_allowed_hosts(verb.name, allowed, hosts)), 'HOST'))}"


def _allowed_hosts(verb: str, allowed: AllowedCommands, hosts: Sequence[str]) -> list[str]:
    patterns = allowed.get(verb, ())
    return [host for host in hosts if any(fnmatchcase(host, pattern) for pattern in patterns)]


def ambiguous_target(target: str, candidates: Sequence[RunRecord]) -> Message:
    """`found`: those of them that the asker may see."""
    which = ": " + ", ".join(f"{record.run} ({record.command_text})" for record in candidates) if candidates else ""
    return not_found(escape_mrkdwn(f"More than one waits here as {target}{which}. Name it by its run."))


def denied(refusal: Denied) -> Message:
    holders = ", ".join(f"<!subteam^{i}>" if i.startswith("S") else f"<@{i}>" for i in refusal.holders if i != "*")
    return ephemeral(f"Not done: {refusal.reason}." + (f" Who has it: {holders}." if holders else ""), "denied")


def doctor_report(findings: Sequence[Finding]) -> Message:
    """The bot's own part of `/swarm doctor`; the jobs' part is a run's."""
    lines = "\n".join(finding_line(finding) for finding in findings if finding.level != "pass")
    lead = "What the bot itself needs" + ("" if lines else ": all well")
    return Message(truncate(f"{lead}\n{lines}", TEXT_LIMIT), (section(f"*{lead}*"), *render_findings(findings)))


def not_found(text: str) -> Message:
    """A no to what is not there, or is over."""
    return ephemeral(text, "void")


def rate_limited(limit: int) -> Message:
    lead = f"Not done: that is more than {limit} commands and clicks of yours within a minute"
    return ephemeral(f"{lead} ([slack] per_minute). Wait a minute; what you asked before goes on.", "often")


def too_many_runs(runs: int) -> Message:
    return ephemeral(f"Not started: {runs} runs go on or wait already. /swarm status lists them; end some.", "often")


def info(text: str) -> Message:
    """A word that refuses nothing."""
    return ephemeral(text)


def not_saved(reason: str, certain: bool) -> Message:
    """Of a command that is not written down; `certain`: for sure, as a Redis that fell silent may have heard it."""
    if certain:
        return ephemeral(f"Not started: {reason}. Nothing was changed; ask again when that is mended.")
    return ephemeral(
        f"Not started: {reason}. Should it have heard this before it fell silent, it begins when Redis is back: "
        "look at `/swarm status` before you ask again."
    )


def expired(text: str) -> Message:
    """Of what was written down, and found again too late; `text`: a command's, "" for a button."""
    subject = f"`/swarm {escape_mrkdwn(truncate(text, MAX_ECHOED))}`" if text else "your button"
    return not_found(
        f"Not done, unless `/swarm status` shows it: {subject}. The bot was away for more than half an hour after it; "
        "ask again."
    )


def deferred(reason: str) -> Message:
    """Of one that is written down, but could not be dealt with."""
    return ephemeral(
        f"Not started yet: {reason}. It is written down, and begins when Redis is back: do not ask again, "
        "`/swarm status` will show it. After half an hour it is not begun any more, and you are told."
    )


def help_for(allowed: AllowedCommands, hosts: Sequence[str]) -> Message:
    """Only what the asker may do, with the hosts it is for unless those are all."""
    verbs = [verb for verb in COMMANDS if verb.name in allowed]
    lines = [
        "*What you may do here*",
        *(f"`{verb.usage}`  {verb.summary}{_only(allowed[verb.name])}" for verb in verbs),
    ]
    examples = [f"`{escape_mrkdwn(example(verb, allowed, hosts))}`" for verb in verbs if verb.arguments]
    parts = ["\n".join(lines), "\n".join(["*For example*", *examples])] if examples else ["\n".join(lines)]
    return Message(truncate("\n".join(parts), TEXT_LIMIT), tuple(map(section, parts)))


def _only(hosts: tuple[str, ...]) -> str:
    return "" if "*" in hosts else f" (only {escape_mrkdwn(', '.join(hosts))})"
