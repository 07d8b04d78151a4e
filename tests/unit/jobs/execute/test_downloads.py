"""Test that the script of an upgrade ends the download ahead."""

from jobs.connectors.script_files import load_script
from jobs.execute.downloads import DOWNLOAD_UNIT


def test_an_upgrade_ends_the_unit_that_downloads() -> None:
    assert f"\ndownload={DOWNLOAD_UNIT}\n" in load_script("upgrade")
