"""Parse what the docker command of a host prints about its Engine. Pure."""

import json
from dataclasses import dataclass

from imker.text import one_line
from jobs.facts.sections import MalformedAnswer, Section
from jobs.facts.swarm import MAX_WORD_LENGTH, SwarmMembership, parse_membership, parse_storage_driver


@dataclass(frozen=True)
class EngineInfo:
    """What `docker info` prints. Empty if the Engine is down. An Engine before 1.13 has only its version here."""

    version: str = ""
    storage_driver: str = ""
    membership: SwarmMembership = SwarmMembership()


def parse_engine_info(section: Section) -> EngineInfo:
    """Parse the section. Raise MalformedAnswer if the command succeeded with an unexpected output."""
    if section.status:
        return EngineInfo()
    try:
        document = json.loads(section.text)
        return EngineInfo(
            one_line(str(document.get("ServerVersion") or ""), MAX_WORD_LENGTH),
            parse_storage_driver(document),
            parse_membership(document),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedAnswer("docker info") from error
