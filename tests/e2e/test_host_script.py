"""Real hosts and simulated ones answer the scripts in the same form, with the same facts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import settings
from jobs.connectors.engine import Engine
from jobs.connectors.ssh import SshShell
from jobs.facts.host import HostFacts
from jobs.facts.option_files import FILE, MODIFIED
from jobs.facts.sections import Section
from jobs.gather.host import gather_host
from jobs.gather.host_script import CONTAINERS, OPTIONS, STATE, read_sections
from jobs.gather.options import add_named_files
from jobs.gather.swarm import ask_engine
from jobs.inventory.hosts import load_inventory
from jobs.inventory.model import Host
from jobs.settings import Settings
from lab.fleet import fleet
from lab.fleet.hosts import LabHost
from lab.simulated.fleet import run_fleet, select_hosts
from tests.e2e.conftest import HOST_NAMES

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(200)]
DIFFERENT_STATUS = ("disk", "store_connections", "locks", "upgrade_unit")  # of a simulated host's simpler tools


class Client:
    """The client's side of a fleet, in the folder with its client files."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = settings.load_settings(folder / "imker.toml")
        self.inventory = load_inventory(self.settings)

    def shell(self, name: str) -> SshShell:
        return SshShell(self.inventory[name], self.settings.inventory.known_hosts)

    def sections(self, name: str) -> dict[str, Section]:
        host: Host = self.inventory[name]
        arguments = (host.ssh_user, str(self.settings.engine.apt_list), "", "")
        with self.shell(name) as shell:
            return dict(add_named_files(shell, read_sections(shell, OPTIONS, CONTAINERS, STATE, arguments=arguments)))

    def facts(self, name: str) -> HostFacts:
        host = self.inventory[name]
        with self.shell(name) as shell:
            return gather_host(shell, host, self.settings.engine, ask_engine(host, Engine))


@pytest.fixture(scope="module")
def real(hosts: tuple[LabHost, ...]) -> Client:
    fleet.reset(HOST_NAMES)
    return Client(fleet.CLIENT_DIR)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("simulated")
    with run_fleet(select_hosts(HOST_NAMES), folder):
        yield Client(folder)


@pytest.mark.parametrize("name", HOST_NAMES)
def test_prints_the_same_sections(real: Client, simulated: Client, name: str) -> None:
    expected, actual = real.sections(name), simulated.sections(name)
    assert {key for key in actual if not _is_option_file(key)} == {key for key in expected if not _is_option_file(key)}
    assert {key for key in actual if _is_option_file(key)} <= {key for key in expected if _is_option_file(key)}
    statuses = {key: bool(section.status) for key, section in expected.items() if key not in DIFFERENT_STATUS}
    assert {key: bool(actual[key].status) for key in statuses if key in actual} == {
        key: status for key, status in statuses.items() if key in actual
    }


@pytest.mark.parametrize("name", HOST_NAMES)
def test_gathers_the_same_facts(real: Client, simulated: Client, name: str) -> None:
    expected, actual = real.facts(name), simulated.facts(name)
    assert _comparable(actual) == _comparable(expected)
    assert expected.environment
    assert expected.environment.free_bytes
    assert expected.environment.certificate_expires
    assert expected.environment.unreadable_files == ()
    assert abs(expected.environment.clock_offset) < 5


def _comparable(facts: HostFacts) -> tuple[object, ...]:
    """Return the facts that do not depend on the machine."""
    assert facts.environment
    assert facts.package
    return (
        facts.engine_version,
        facts.options_changed,
        facts.api_reachable,
        facts.upgrade_state,
        facts.previously_running,
        facts.unfinished_run,
        facts.membership.state,
        facts.options.unit.fragment_path,
        facts.options.unit.drop_in_paths,
        facts.options.unit.environment_files,
        sorted((item.name, item.running, item.restart_policy) for item in facts.containers),
        (facts.package.name, facts.package.state, facts.package.replaces),
        facts.environment.init_system,
        facts.environment.broken_packages,
        facts.environment.apt_lock_holder,
    )


def _is_option_file(name: str) -> bool:
    return name.startswith((FILE, MODIFIED))
