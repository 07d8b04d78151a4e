"""Private answers end to end: only the requester sees them, until the requester shows them to the channel."""

from lab.slack.client import VisibleMessage
from tests.integration.conftest import ALICE, BOB, CAROL, OPS, Flow

SHOW = "Show to channel"


def answer_to(flow: Flow, user: str, command: str) -> VisibleMessage:
    return flow.send_command(command, lambda message: SHOW in message.buttons, user=user, seconds=30)


def seen_by(flow: Flow, user: str, text: str) -> list[VisibleMessage]:
    return [message for message in flow.workspace.visible_messages(user, OPS) if text in message.plain_text]


def test_an_answer_is_private_until_it_is_shown_once(workers: Flow) -> None:
    answer = answer_to(workers, CAROL, "/swarm hosts --private")
    assert answer.ephemeral
    assert "4 of 4 hosts are unreachable" in answer.plain_text
    run = workers.run_id_of(answer)
    assert [seen_by(workers, user, run) for user in (ALICE, BOB)] == [[], []]
    assert workers.workspace.calls("chat.postMessage")[-1:] == [] or run not in str(workers.workspace.calls())
    for _ in range(2):
        workers.workspace.press(CAROL, answer, SHOW)
    workers.workspace.wait_for_message(ALICE, OPS, lambda message: run in message.plain_text, 15)
    workers.send_command("/swarm nodes", lambda message: not message.ephemeral, seconds=15)
    (public,) = seen_by(workers, ALICE, run)
    assert "4 of 4 hosts are unreachable" in public.plain_text
    assert SHOW not in public.buttons
    assert not public.ephemeral


def test_without_a_response_url_the_answer_is_private_too(workers: Flow) -> None:
    answer = answer_to(workers, CAROL, "hosts --private")
    assert answer.ephemeral
    assert seen_by(workers, ALICE, workers.run_id_of(answer)) == []


def test_another_user_cannot_show_it(workers: Flow) -> None:
    answer = answer_to(workers, CAROL, "/swarm hosts --private")
    run = workers.run_id_of(answer)
    public = workers.send_command("/swarm hosts", "4 of 4 hosts are unreachable", user=BOB)
    assert run not in public.plain_text
    workers.send_command(f"/swarm status {run}", lambda message: message.ephemeral, user=BOB)
    assert not any(run in message.plain_text for message in workers.workspace.visible_messages(ALICE, OPS))
