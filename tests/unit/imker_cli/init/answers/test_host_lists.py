"""Read typed hosts, and choose some of an inventory."""

from typing import Any

import pytest

from imker_cli.init.answers.host_lists import choose_hosts, parse_typed_hosts
from imker_cli.init.answers.model import AnswerError, FoundHost

HOSTS = (FoundHost("kaditz", {}, frozenset({"all", "docker"})), FoundHost("mail", {}, frozenset({"all"})))


@pytest.mark.parametrize(
    ("word", "name", "section"),
    [
        ("192.168.10.39", "192.168.10.39", {"address": "192.168.10.39"}),
        ("geschke@tondi.example.org,", "tondi", {"address": "tondi.example.org", "ssh_user": "geschke"}),
        ("Kaditz=geschke@10.0.0.1:2222", "kaditz", {"address": "10.0.0.1", "ssh_user": "geschke", "ssh_port": 2222}),
    ],
)
def test_reads_a_typed_host(word: str, name: str, section: dict[str, Any]) -> None:
    assert parse_typed_hosts([word]) == (FoundHost(name, section),)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["a b"], "neither a file"),
        (["x@y@z"], "neither a file"),
        (["tondi.a", "tondi.b"], "tondi: typed twice"),
        (["fd00::1"], "neither a file"),
    ],
)
def test_refuses_what_is_no_host(words: list[str], hint: str) -> None:
    with pytest.raises(AnswerError, match=hint):
        parse_typed_hosts(words)


@pytest.mark.parametrize(
    ("words", "chosen"),
    [([], ["kaditz", "mail"]), (["docker"], ["kaditz"]), (["MAIL"], ["mail"]), (["k*", "mail"], ["kaditz", "mail"])],
)
def test_chooses_by_host_group_and_pattern(words: list[str], chosen: list[str]) -> None:
    assert [host.name for host in choose_hosts(HOSTS, words)] == chosen


def test_refuses_a_word_that_names_nothing() -> None:
    with pytest.raises(AnswerError, match=r"named db\. It has kaditz, mail, all, docker"):
        choose_hosts(HOSTS, ["kaditz", "db"])
    with pytest.raises(AnswerError, match="no hosts"):
        choose_hosts((), [])
