"""What a command on services says is what its text parses to."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.commands.parser import MAX_LENGTH, parse
from imker.protocol.service_commands import (
    CreateService,
    PublishedPort,
    RestartService,
    RollBackService,
    ScaleServices,
    ScaleTarget,
    ShowService,
)

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}[a-z0-9]", fullmatch=True)
numbers, ports = st.integers(0, 10_000), st.integers(1, 65535)
targets = st.lists(st.builds(ScaleTarget, names, numbers), min_size=1, max_size=5, unique_by=lambda each: each.service)
published = st.builds(PublishedPort, ports, ports, st.sampled_from(["tcp", "udp", "sctp"]), st.booleans())
constraints = st.sampled_from(["node.role==worker", "node.labels.zone!=a", "engine.labels.rack==4"])
creations = st.builds(
    CreateService, names, st.sampled_from(["nginx:1.27", "registry.example.org:5000/a/b", f"a@sha256:{'0' * 64}"]),
    numbers, st.lists(published, max_size=2, unique=True).map(tuple), st.lists(constraints, max_size=2).map(tuple),
)  # fmt: skip
commands = st.one_of(
    creations, targets.map(tuple).map(ScaleServices),
    *(names.map(make) for make in (ShowService, RestartService, RollBackService)),
)  # fmt: skip


@given(commands)
def test_the_text_of_a_command_parses_to_it(command: Any) -> None:
    if len(command.text) <= MAX_LENGTH:
        assert parse(command.text) == command
        assert parse(f"/swarm {command.text.replace(' --', ' —')}") == command
