"""Notes on a host help to decide. Once the steps start, they are folded away with the passed checks."""

import pytest

from bot.messages.runs.findings import render_findings
from imker.protocol.values import Finding
from lab.slack.validate_message import find_problems

WARNING = Finding("disk", "warn", "less than 2 GB free", "Free disk space.")
NOTE = Finding("docker group", "pass", "geschke is not in the docker group", "To add the user, use the flag.")
FINDINGS = (WARNING, NOTE, Finding("clock", "pass", "in sync"))


@pytest.mark.parametrize("folds_notes", [False, True])
def test_folds_notes_but_no_warning(folds_notes: bool) -> None:
    visible, folded = render_findings(FINDINGS, folds_notes)
    assert find_problems([visible, folded]) == []
    assert "less than 2 GB free" in visible["text"]["text"]
    assert ("geschke" in str(visible), "geschke" in str(folded)) == (not folds_notes, folds_notes)
    assert folded["title"]["text"] == "✔️ 2 checks passed" + ", 1 note" * folds_notes
    assert "docker group, clock" in str(folded)


@pytest.mark.parametrize("name", ["", " ", "\x1b", "\u200b\n"])
def test_a_passed_check_without_a_visible_name_is_valid_for_slack(name: str) -> None:
    (folded,) = render_findings([Finding(name, "pass", "text")])
    assert find_problems([folded]) == []
