"""Ask until an answer can be used."""

import pytest

from imker_cli.init.answers.model import AnswerError
from imker_cli.init.terminal import Terminal, parse_yes


def test_asks_again_and_says_why() -> None:
    answers, prompts, printed = iter(["maybe", "", "YES"]), list[str](), list[str]()

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    terminal = Terminal(read, write=printed.append)
    assert terminal.ask("Are they right", parse_yes)
    assert prompts == ["Are they right: "] * 3
    assert printed == ["  Type yes or no."] * 2


def test_uses_the_default_for_an_empty_answer() -> None:
    terminal = Terminal(lambda prompt: " " if "[no]" in prompt else "yes")
    assert not terminal.ask("Are they right", parse_yes, "no")


def test_prints_no_control_characters() -> None:
    printed = list[str]()
    Terminal(write=printed.append).say("kaditz\x1b[2J\x07 \u202eup")
    assert printed == ["kaditz up"]


@pytest.mark.parametrize("text", ["", "ja", "yess"])
def test_refuses_what_is_neither_yes_nor_no(text: str) -> None:
    with pytest.raises(AnswerError):
        parse_yes(text)
