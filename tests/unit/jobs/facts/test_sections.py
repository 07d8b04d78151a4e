"""Test the form in which a script prints sections: any output survives, and anything else is rejected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.facts.sections import MAX_SECTIONS, MalformedAnswer, Section, parse_sections
from tests.support.sections import format_answer

NAMES = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), min_size=1, max_size=60)
SECTIONS = st.builds(Section, st.integers(0, 255), st.binary(max_size=300))


@given(st.dictionaries(NAMES, SECTIONS, min_size=1, max_size=20))
def test_any_bytes_survive(sections: dict[str, Section]) -> None:
    assert parse_sections(format_answer(sections), list(sections)) == sections


@given(st.binary(max_size=300))
def test_parses_or_rejects_any_answer(answer: bytes) -> None:
    try:
        sections = parse_sections(answer, ())
    except MalformedAnswer:
        return
    assert len(format_answer(sections)) <= len(answer)


@given(st.dictionaries(NAMES, SECTIONS, min_size=1, max_size=5), st.data())
def test_rejects_an_answer_that_was_cut(sections: dict[str, Section], data: st.DataObject) -> None:
    answer = format_answer(sections)
    cut = data.draw(st.integers(0, len(answer) - 1))
    with pytest.raises(MalformedAnswer):
        parse_sections(answer[:cut], list(sections))
    with pytest.raises(MalformedAnswer):
        parse_sections(answer[len(answer) - cut :], list(sections))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "no list of sections"),
        (b"3 0 now\nabc", "no list of sections"),
        (b"3 0 now\n\nabcd", "outputs of another length"),
        (b"4 0 now\n\nabc", "outputs of another length"),
        (b"-3 0 now\n\nabc", "an invalid header"),
        (b"999999999 0 now\n\nabc", "an invalid header"),
        (b"3 now\n\nabc", "an invalid header"),
        (b"3 0 " + b"n" * 5000 + b"\n\nabc", "an invalid header"),
        (b"1 0 now\n2 0 now\n\nabc", "two sections of one name"),
        (b"3 0 then\n\nabc", "no section now"),
        (b"0 0 x\n" * (MAX_SECTIONS + 1) + b"\n", "no list of sections"),
    ],
)
def test_rejects_a_malformed_answer(answer: bytes, reason: str) -> None:
    with pytest.raises(MalformedAnswer, match=reason):
        parse_sections(answer, ["now"])


def test_a_section_whose_command_failed_is_no_file() -> None:
    assert Section(1, b"partly").file_text is None
    assert Section(0, "für".encode("latin-1")).file_text == "f\udcfcr"
    assert Section(0, "für".encode("latin-1")).text == "f\ufffdr"
