"""Sign what is remembered with the new key, so that nothing is forgotten when the old one is removed."""

import time

from imker import signing
from imker.protocol.commands import Migrate, PlanHost
from imker.signing import SigningKey
from jobs.events.writer import EventWriter
from jobs.gather.known_swarm import KNOWN_SWARM_KEY
from jobs.run import run_handler
from tests.simulated.conftest import JobRunner
from tests.support.streams import KEY

NEW = "n" * 64


def test_a_plan_signs_the_known_swarm_with_the_new_key(imker: JobRunner) -> None:
    imker.run_job(Migrate("connewitz", "manager"))
    before = signing.open_signed(KEY, KNOWN_SWARM_KEY, imker.redis.get(KNOWN_SWARM_KEY))
    request = imker.build_request(PlanHost("tondi"))
    journal = EventWriter(imker.redis, SigningKey(NEW, "k" * 64), request.run, request.job, time.time)
    run_handler(request, journal, lambda: imker.open_context(request, journal))
    assert before
    assert signing.open_signed(SigningKey(NEW), KNOWN_SWARM_KEY, imker.redis.get(KNOWN_SWARM_KEY)) == before
