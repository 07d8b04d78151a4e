"""The pictures of the documents: each shows a state, and one command takes them."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.browser import Page, find_browser, open_page
from lab.screenshots import MAX_HEIGHT, MIN_HEIGHT, STATES, WIDTHS, Pictures
from lab.slack.client import Workspace
from tests.support.bolt_app import start_workspace, web_client

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/screenshots"
OPS = "C01OPS"


def size(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG file in pixels."""
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return int(width), int(height)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_documents_have_a_picture_of_each_state(width: int) -> None:
    assert {size(FOLDER / f"{state}-{width}.png")[0] for state in STATES} == {int(width * WIDTHS[width])}


def test_the_pictures_are_small_and_none_is_left_over() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert files.keys() == {f"{state}-{width}.png" for state in STATES for width in WIDTHS}
    assert sum(files.values()) < 4_000_000


def test_the_readme_shows_one_of_them() -> None:
    assert any(f"docs/screenshots/{state}-1200.png" in (ROOT / "README.md").read_text() for state in STATES)


@pytest.fixture(scope="module")
def slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with start_workspace(tmp_path_factory.mktemp("slack")) as started:
        yield started


@pytest.fixture(scope="module")
def page(slack: Workspace) -> Iterator[Page]:
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium here; apt-get install chromium")
    with open_page(slack.url, browser) as opened:
        opened.wait("document.querySelectorAll('#user option').length > 3")
        yield opened


@pytest.mark.processes
@pytest.mark.browser
def test_a_picture_shows_the_messages_after_another_as_a_user_sees_them(
    slack: Workspace, page: Page, tmp_path: Path
) -> None:
    app = web_client(slack)
    before = str(app.chat_postMessage(channel=OPS, text="a message before")["ts"])
    app.chat_postMessage(channel=OPS, text="\n".join(["a long message"] * 30))
    app.chat_postEphemeral(channel=OPS, user="U02BOB", text="for bob")
    pictures = Pictures(slack, page, tmp_path, lambda line: None)
    pictures.take("plan", before, "U02BOB")
    text = page.js("document.querySelector('main').innerText")
    assert ("a message before" in text, "a long message" in text, "for bob" in text) == (False, True, True)
    assert page.js("document.querySelector('main').scrollHeight - document.querySelector('main').clientHeight") <= 1
    for (width, scale), path in zip(WIDTHS.items(), pictures.files, strict=True):
        assert path == tmp_path / f"plan-{width}.png"
        assert size(path)[0] == int(width * scale)
        assert MIN_HEIGHT * scale < size(path)[1] < MAX_HEIGHT * scale


@pytest.mark.processes
@pytest.mark.browser
def test_the_next_picture_shows_what_has_changed_since(slack: Workspace, page: Page, tmp_path: Path) -> None:
    app = web_client(slack)
    ts = str(app.chat_postMessage(channel=OPS, text="running")["ts"])
    pictures = Pictures(slack, page, tmp_path, lambda line: None)
    pictures.take("running", "0")
    app.chat_update(channel=OPS, ts=ts, text="finished")
    assert "finished" not in page.js("document.querySelector('main').innerText")
    pictures.take("accepted", "0")
    assert "finished" in page.js("document.querySelector('main').innerText")
