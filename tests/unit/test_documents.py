"""Files, links, and make targets that the documents name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CHANGELOG.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FOLDERS = "tests|jobs|bot|lab|imker|deploy|docs"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_everything_that_a_document_names_exists(document: str) -> None:
    text, beside = (ROOT / document).read_text(), (ROOT / document).parent
    for path in re.findall(rf"`((?:{FOLDERS})/[^`\s]+)`", text):
        assert list(ROOT.glob(path.rstrip("*/") + "*")), path
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (beside / link).exists(), link
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert target in TARGETS, target
