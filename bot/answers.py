"""The bot's private answers: what it says to who asked, and to nobody else. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from bot.blocks import finding_line, findings
from bot.escape import cut, mrkdwn
from bot.grammar import Misuse
from bot.kit import TEXT, Message, private, section
from bot.policy import Denied
from bot.record import RunRecord
from bot.verbs import VERBS, Verb
from jobs.contract import Finding

Mine = Mapping[str, tuple[str, ...]]  # the verbs that a person may use, each with patterns of the hosts it is for


def misuse(wrong: Misuse, mine: Mine, hosts: Sequence[str]) -> Message:
    return private(f"{mrkdwn(wrong.text)}\n{mrkdwn(_instead(wrong, mine, hosts))}", "misuse")


def _instead(wrong: Misuse, mine: Mine, hosts: Sequence[str]) -> str:
    if wrong.verb is None:
        return wrong.usage
    if wrong.unknown:
        own = [*_theirs("plan", mine, hosts), *_theirs(wrong.verb.name, mine, hosts)]
        near = difflib.get_close_matches(wrong.unknown, own, 1, cutoff=0.5)
        return f"Did you mean /swarm {wrong.verb.name} {near[0]}?" if near else wrong.usage
    return f"{wrong.usage}, for example: {example(wrong.verb, mine, hosts)}"


def example(verb: Verb, mine: Mine, hosts: Sequence[str]) -> str:
    """With a host of theirs that the asker may do it to, if there is one."""
    return f"/swarm {verb.example.format(host=next(iter(_theirs(verb.name, mine, hosts)), 'HOST'))}"


def _theirs(verb: str, mine: Mine, hosts: Sequence[str]) -> list[str]:
    patterns = mine.get(verb, ())
    return [host for host in hosts if any(fnmatchcase(host, pattern) for pattern in patterns)]


def several(target: str, found: Sequence[RunRecord]) -> Message:
    """`found`: those of them that the asker may see."""
    which = ": " + ", ".join(f"{record.run} ({record.text})" for record in found) if found else ""
    return note(mrkdwn(f"More than one waits here as {target}{which}. Name it by its run."))


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


def too_often(most: int) -> Message:
    lead = f"Not done: that is more than {most} commands and clicks of yours within a minute"
    return private(f"{lead} ([slack] per_minute). Wait a minute; what you asked before goes on.", "often")


def too_many(runs: int) -> Message:
    return private(f"Not started: {runs} runs go on or wait already. /swarm status lists them; end some.", "often")


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


def help_for(mine: Mine, hosts: Sequence[str]) -> Message:
    """Only what the asker may do, with the hosts it is for unless those are all."""
    verbs = [verb for verb in VERBS if verb.name in mine]
    lines = ["*What you may do here*", *(f"`{verb.usage}`  {verb.does}{_only(mine[verb.name])}" for verb in verbs)]
    typed = [f"`{mrkdwn(example(verb, mine, hosts))}`" for verb in verbs if verb.arguments]
    parts = ["\n".join(lines), "\n".join(["*For example*", *typed])] if typed else ["\n".join(lines)]
    return Message(cut("\n".join(parts), TEXT), tuple(map(section, parts)))


def _only(hosts: tuple[str, ...]) -> str:
    return "" if "*" in hosts else f" (only {mrkdwn(', '.join(hosts))})"
