"""What an RQ job holds, before anything is done about it: signed by the bot, in time, and for the first time.

In: the job's text and signature. Out: the Request, or Refused, in words. It knows nothing of what is asked.
"""

import uuid

from redis import Redis

from imker.signing import Key
from jobs import contract
from jobs.contract import Ended, Envelope, Request, UnknownContract
from jobs.errors import JobError
from jobs.journal import Journal

KEPT = 8 * 24 * 3600  # seconds that a request counts as used: longer than any is valid
LONGEST = 7 * 24 * 3600  # seconds ahead that a request may expire


class Refused(JobError):
    """Nothing was changed."""

    hint = "Ask again; if it stays so, see the log."


def admit(text: str, signature: object, key: Key, redis: Redis, clock: float) -> Request:
    """`clock`: UNIX seconds. Raises Refused for what must not be done, which it tells the run; UnknownContract for what

    names no run to tell it.
    """
    try:
        request = contract.decode_request(text)
    except UnknownContract as unknown:
        if (envelope := contract.foreign(text)) is None:
            raise
        refused = _of_another_contract(envelope, _forged(text, signature, key))
        _tell(envelope, refused, key, redis, clock)
        raise refused from unknown
    why = _why_not(request, text, signature, key, clock)
    if not why and not _first(redis, contract.used_key(request.run, request.job), clock):
        raise Refused(f"job {request.job} of run {request.run} was taken up before; it is not done twice")
    if why:
        _tell(request, Refused(why), key, redis, clock)
        raise Refused(why)
    return request


def _first(redis: Redis, key: str, clock: float) -> bool:
    """Whether nobody took the request up before. A write repeated after a lost reply finds its own value."""
    mine = f"{clock} {uuid.uuid4().hex}"
    return bool(redis.set(key, mine, nx=True, ex=KEPT)) or redis.get(key) == mine.encode()


def _why_not(request: Request, text: str, signature: object, key: Key, clock: float) -> str:
    if forged := _forged(text, signature, key):
        return forged
    if not clock < request.expires <= clock + LONGEST:
        return "the request is too old, or the clocks of the bot and the RQ worker are far apart"
    return ""


def _of_another_contract(envelope: Envelope, forged: str) -> Refused:
    """A bot that is newer than the RQ workers, or a job that waited in its queue through an upgrade."""
    if forged:
        return Refused(forged)
    newer = envelope.contract > contract.CONTRACT
    why = f"the job speaks contract {envelope.contract}, these RQ workers {contract.CONTRACT}"
    first = "The RQ workers are older than the bot: upgrade them." if newer else "It was asked before an upgrade."
    return Refused(why, hint=f"{first} /swarm retry {envelope.run} asks again.")


def _forged(text: str, signature: object, key: Key) -> str:
    if not isinstance(signature, str) or not signature:
        return "the job is not signed; somebody other than the bot wrote it"
    if not key.signed(text, signature):
        return "the job's signature is wrong; somebody other than the bot wrote it, or the two sides' keys differ"
    return ""


def _tell(request: Request | Envelope, refused: Refused, key: Key, redis: Redis, clock: float) -> None:
    """Only into a run that has no word of this job yet: a forged one must not write over a true one's events."""
    journal = Journal(redis, key, request.run, request.job, lambda: clock)
    if not any(event.job == request.job for event in journal.told()):
        journal.tell(Ended("refused", refused.summary, "Nothing was changed.", refused.hint))
