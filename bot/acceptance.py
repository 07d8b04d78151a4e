"""The card that asks whether a host shall be a manager, and what is said aloud of how it was accepted. Pure."""

from bot.escape import mrkdwn
from bot.kit import clock
from bot.progress import RunView
from bot.record import RunRecord
from jobs.contract import Candidate, Quorum, Waiting


def card(view: RunView, waiting: Waiting) -> str:
    """What a manager observed stands apart from what the host merely claims."""
    if waiting.candidate is None or waiting.quorum is None:
        return "It waits for a decision."
    parts = (
        f"Not done: {mrkdwn(waiting.refused)}. Nothing was changed; this is how it is now." if waiting.refused else "",
        f"*{mrkdwn(waiting.candidate.host)} waits to be accepted as a manager.*",
        _who(waiting.candidate),
        _survives(waiting.quorum),
        _votes(view, waiting),
        _until(view, waiting, mrkdwn(waiting.candidate.node[:12])),
    )
    return "\n".join(part for part in parts if part)


def alarms(record: RunRecord) -> tuple[tuple[int, str], ...]:
    """Who accepted what they asked for themselves, and which job's question: that is never done quietly."""
    own = [one for one in (*record.decisions, *record.votes) if one.verdict == "accept" and one.by == record.asker]
    return tuple(
        (
            one.job,
            f"🚨 *Break-glass*: <@{one.by}> accepted at {clock(one.at)} what <@{record.asker}> asked for themselves. "
            "`accept_own = true` in imker.toml allows it.",
        )
        for one in own
    )


def _who(candidate: Candidate) -> str:
    return (
        f"A manager sees node `{mrkdwn(candidate.node)}` at {mrkdwn(candidate.observed_address)}. "
        f"It calls itself {mrkdwn(candidate.claimed_hostname)}, with Engine {mrkdwn(candidate.claimed_engine)}."
    )


def _survives(quorum: Quorum) -> str:
    def count(managers: int, fail: int) -> str:
        return f"{managers} manager{'s' * (managers != 1)}: {fail or 'none'} may fail"

    now, then = count(quorum.managers, quorum.tolerates), count(quorum.managers_after, quorum.tolerates_after)
    return f"Now {now}; then {then}" + (
        " (an even number is no safer than one less)" if quorum.managers_after % 2 == 0 else ""
    )


def _votes(view: RunView, waiting: Waiting) -> str:
    if waiting.needed == 1:
        return ""
    said = ", ".join(f"<@{vote.by}>" for vote in view.record.votes)
    so_far = f"{len(view.record.votes)} of {waiting.needed} said yes"
    return f"It takes {waiting.needed} different people: {so_far}{': ' + said if said else ''}."


def _until(view: RunView, waiting: Waiting, node: str) -> str:
    typed = f"`/swarm accept {node}`"
    if waiting.asked is None:
        return f"Or type {typed}"
    at = clock(waiting.asked.wall + waiting.seconds)
    if view.expired:
        return f"⌛ Nobody accepted it by {at}; it stays a worker. `/swarm accept {view.record.run}` asks anew."
    return f"Until {at}. Or type {typed}"
