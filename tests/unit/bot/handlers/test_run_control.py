"""Which run a command means if it names none, and replies to decisions that have no effect."""

from redis import Redis

from tests.support.bot_harness import LEI, BotHarness, current_hold, parse_settings_file

FILE = parse_settings_file("""
[slack]
channels = ["C01OPS", "C04LEI"]
[rights]
change = ["U01ALICE"]
accept = ["U02BOB", "U08DAVE"]
accept_count = 2
""")


def last_reply(harness: BotHarness) -> str:
    return harness.replies[-1].text


def test_pauses_the_only_running_run_of_the_channel(redis: Redis) -> None:
    harness = BotHarness(redis, FILE)
    run = harness.create_run("running")
    harness.create_run("running-lei")
    harness.types("alice", "pause")
    hold = current_hold(harness.runs, run)
    assert hold
    assert hold.action == "pause"


def test_asks_for_the_run_if_several_can_be_paused(redis: Redis) -> None:
    harness = BotHarness(redis, FILE)
    harness.create_run("running-lei")
    harness.create_run("running-here")
    harness.types("alice", "pause", LEI)
    assert last_reply(harness) == "More than one run can be paused. Specify one: `/swarm pause RUN`."
    assert harness.run_changes() == set()


def test_says_that_no_run_can_be_paused(redis: Redis) -> None:
    harness = BotHarness(redis, FILE)
    harness.create_run("over")
    harness.create_run("running-lei")
    harness.types("alice", "pause")
    assert last_reply(harness) == "No run in this channel can be paused. See `/swarm status`."


def test_tells_only_an_approver_that_they_already_approved(redis: Redis) -> None:
    """Click a button of an earlier question while the current one has one of two approvals."""
    harness = BotHarness(redis, FILE)
    run = harness.create_run("pending", needed=2)
    harness.clicks("bob", f"{run}:1", "accept")
    harness.clicks("bob", f"{run}:1", "accept")
    assert last_reply(harness).startswith(f"You already approved run `{run}`.")
    harness.clicks("dave", f"{run}:0", "accept")
    assert last_reply(harness).startswith(f"Run `{run}` isn't waiting for this decision.")
