"""Share a fake Slack, and its page in a browser, between the tests of a file."""

from collections.abc import Iterator

import pytest

from lab.browser import Page, find_browser, open_page
from lab.slack.client import Workspace
from tests.support.bolt_app import start_workspace


@pytest.fixture(scope="module")
def slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with start_workspace(tmp_path_factory.mktemp("slack")) as started:
        yield started


@pytest.fixture(scope="module")
def page(slack: Workspace) -> Iterator[Page]:
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium here; apt-get install chromium")
    with open_page(slack.url, browser) as page:
        page.wait("document.querySelectorAll('#user option').length > 3")
        yield page
