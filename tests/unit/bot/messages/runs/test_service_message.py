"""Messages about services: what is wrong comes first, Docker's own words last, and Slack accepts all of it."""

import pytest

from bot.messages import tables
from bot.messages.runs import run_message, service_message
from bot.records import RunRecord
from bot.state.run_state import RunState, fold
from imker.protocol.commands import Command
from imker.protocol.event_log import EventLog
from imker.protocol.events import Event, EventBody, JobFinished, JobStarted
from imker.protocol.service_commands import ListServices, ShowService
from imker.protocol.service_events import ServiceDetails, ServiceReason, ServiceRow, ServiceTable, TaskRow
from lab.slack.validate_message import find_problems

NOW = 1_795_440_000.0
DOCKER_TEXT = "no suitable node (scheduling constraints not satisfied on 8 nodes; insufficient resources on 1 node)"
BROKEN = ServiceRow(
    "shop_web", "replicated", 1, 3, "nginx:1.27", ("8080→80/tcp",), "paused", "paused", "no node fits: x", "shop"
)
TASKS = (TaskRow("kaditz", 1, "running", NOW - 60, "nginx:1.27"), TaskRow("", 2, "pending", NOW, "nginx:1.27", "why"))
SHOWN = ServiceDetails(
    "tondi", NOW, BROKEN, TASKS, (("Placement", "node.role==worker"),), (ServiceReason("no node fits", DOCKER_TEXT),)
)


def run(command: Command, *bodies: EventBody) -> RunState:
    record = RunRecord("k3fm9x2q", command, command.text, "U01ALICE", "C01OPS", NOW)
    events = tuple(Event("k3fm9x2q", 1, number, NOW, body) for number, body in enumerate(bodies, 1))
    return fold(record, EventLog(events), "finished", NOW)


def many(number: int) -> tuple[ServiceRow, ...]:
    broken = (BROKEN,) * 2
    return (*broken, *(ServiceRow(f"service-{n}", "replicated", 2, 2, "nginx:1.27") for n in range(number - 2)))


@pytest.mark.parametrize("number", [0, 1, 15, 300])
def test_slack_accepts_any_number_of_services(number: int) -> None:
    rows = many(number)[:number]
    message = run_message.render(
        run(ListServices(), JobStarted(), ServiceTable("tondi", NOW, rows), JobFinished("done", "x"))
    )
    assert find_problems(list(message.blocks)) == []


def test_300_services_are_a_table_with_pages_and_the_broken_ones_first() -> None:
    block = tables.table_block(tables.services(many(300)))
    assert block["type"] == "data_table"
    assert [row[0]["text"] for row in block["rows"][1:4]] == ["shop_web", "shop_web", "service-0"]
    message = run_message.render(
        run(ListServices(), JobStarted(), ServiceTable("tondi", NOW, many(300)), JobFinished("done", "x"))
    )
    assert "2 of 300 services are unhealthy: shop_web 1/3, shop_web 1/3" in message.text
    assert "use `--filter`" in str(message.blocks)


def test_shows_only_what_the_filter_matches() -> None:
    table = ServiceTable("tondi", NOW, many(40))
    message = run_message.render(run(ListServices("status=paused"), JobStarted(), table, JobFinished("done", "x")))
    assert "2 of 40 services: status=paused" in message.text
    assert "service-7" not in message.text


def test_a_service_ends_with_the_words_of_docker() -> None:
    message = run_message.render(run(ShowService("web"), JobStarted(), SHOWN, JobFinished("done", "shop_web")))
    assert find_problems(list(message.blocks)) == []
    assert message.text.startswith("⚠️ shop_web: 1/3 running, no node fits: x")
    contents = [str(block) for block in message.blocks if block["type"] != "actions"]
    assert DOCKER_TEXT in contents[-1], "whole, and last"
    assert "no node fits" in contents[2]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), ("", "0 services")),
        (many(3)[2:], ("", "1 service, all healthy")),
        (many(4)[1:], ("⚠️", "1 of 3 services is unhealthy: shop_web 1/3")),
        ((BROKEN,) * 5, ("⚠️", "5 of 5 services are unhealthy: shop_web 1/3, shop_web 1/3, shop_web 1/3 and 2 more")),
        ((ServiceRow("a", "global", 1, 2, "x", status="updating"),), ("", "1 service; 1 updating")),
    ],
)
def test_one_line_about_all_services(rows: tuple[ServiceRow, ...], expected: tuple[str, str]) -> None:
    assert service_message.services_result(ServiceTable("tondi", NOW, rows)) == expected
