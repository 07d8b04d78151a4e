"""The bot's private answers: what it says to who asked, and to nobody else. Pure."""

from collections.abc import Mapping, Sequence

from bot import wording
from bot.blocks import finding_line, findings
from bot.escape import cut, mrkdwn
from bot.grammar import Misuse
from bot.kit import SECTION, TEXT, Message, duration, private, section
from bot.policy import Denied
from bot.progress import RunView
from bot.verbs import VERBS
from jobs.contract import Finding


def misuse(wrong: Misuse) -> Message:
    return private(f"{mrkdwn(wrong.text)}\n{mrkdwn(wrong.usage)}", "misuse")


def denied(answer: Denied) -> Message:
    who = ", ".join(f"<!subteam^{i}>" if i.startswith("S") else f"<@{i}>" for i in answer.who if i != "*")
    return private(f"Not done: {answer.reason}." + (f" Who has it: {who}." if who else ""), "denied")


def checkup(found: Sequence[Finding]) -> Message:
    """The bot's own part of `/swarm doctor`; the jobs' part is a run's."""
    lines = "\n".join(finding_line(finding) for finding in found if finding.level != "pass")
    lead = "What the bot itself needs" + ("" if lines else ": all well")
    return Message(cut(f"{lead}\n{lines}", TEXT), (section(f"*{lead}*"), *findings(found)))


def note(text: str) -> Message:
    """A no to what is not there, or is over."""
    return private(text, "void")


def said(text: str) -> Message:
    """A word that refuses nothing."""
    return private(text)


def not_taken(why: str, certain: bool) -> Message:
    """Of a command that is not written down; `certain`: for sure, as a Redis that fell silent may have heard it."""
    if certain:
        return private(f"Not started: {why}. Nothing was changed; ask again when that is mended.")
    return private(
        f"Not started: {why}. Should it have heard this before it fell silent, it begins when Redis is back: "
        "look at `/swarm status` before you ask again."
    )


def kept(why: str) -> Message:
    """Of one that is written down, but could not be dealt with."""
    return private(
        f"Not started yet: {why}. It is written down, and begins when Redis is back, within half an hour: "
        "do not ask again, `/swarm status` will show it."
    )


def help_for(mine: Mapping[str, tuple[str, ...]]) -> Message:
    """Only what the asker may do, with the hosts it is for unless those are all."""
    lines = [f"`{verb.usage}`  {verb.does}{_only(mine[verb.name])}" for verb in VERBS if verb.name in mine]
    return private("*What you may do here*\n" + "\n".join(lines) + "\nFor example: `/swarm plan kaditz`")


def _only(hosts: tuple[str, ...]) -> str:
    return "" if "*" in hosts else f" (only {mrkdwn(', '.join(hosts))})"


def status_list(views: Sequence[RunView]) -> Message:
    """Runs, those going on and waiting first; newest first within."""
    order = {"running": 0, "queued": 0, "waiting": 1, "lost": 2, "over": 3}
    rows = sorted(views, key=lambda view: (order[view.state], -view.record.asked_at))
    lines = [
        f"{wording.mark(view)} `{view.record.run}`  {mrkdwn(view.record.text)}  <@{view.record.asker}>, {_ago(view)}"
        f"  {mrkdwn(wording.short(view))}"
        for view in rows
    ]
    return private(cut("\n".join(lines), SECTION) if lines else "No runs yet. `/swarm help` shows what there is.")


def _ago(view: RunView) -> str:
    return f"{duration(view.now - view.record.asked_at)} ago"
