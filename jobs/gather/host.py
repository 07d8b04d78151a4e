"""Read the facts of one host that a plan is made from. Read-only.

One script returns almost everything. Only apt, and the files that option values name, need a second command each.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from jobs.connectors.shell import Shell, script, sudo
from jobs.daemon_options import OptionFiles
from jobs.errors import CommandFailed, JobError
from jobs.facts import containers
from jobs.facts.containers import Container
from jobs.facts.engine_info import EngineInfo, parse_engine_info
from jobs.facts.environment import parse_environment
from jobs.facts.host import HostFacts
from jobs.facts.option_files import build_option_files, changed_since_start
from jobs.facts.packages import Package
from jobs.facts.sections import MalformedAnswer, Sections
from jobs.facts.unit_properties import parse_properties
from jobs.gather.host_script import CONTAINERS, OPTIONS, STATE, check_length, check_sudo, malformed_error, read_sections
from jobs.gather.options import add_named_files, complete_options
from jobs.gather.packages import gather_package
from jobs.gather.swarm import EngineAnswer
from jobs.inventory.model import Host
from jobs.locking.fencing_token import FencingToken
from jobs.settings import EngineSection

CONTAINERS_SCRIPT = 'ids=$(docker ps -aq) || exit; [ -z "$ids" ] || docker inspect $ids'


def gather_host(shell: Shell, host: Host, engine_settings: EngineSection, answer: EngineAnswer | JobError) -> HostFacts:
    """Return the facts of one host. Raise JobError if SSH or sudo does not work. `answer`: of its Engine's API.

    An Engine that has answered is not asked the same by command, which costs the host as much as ten other programs.
    """
    with ThreadPoolExecutor(1) as pool:
        sent_at = time.time()
        sections = _read_state(shell, host, engine_settings, isinstance(answer, EngineAnswer))
        package = pool.submit(gather_package, shell, sections, engine_settings)
        try:
            complete = add_named_files(shell, sections)
            return _build_facts(shell, complete, sent_at, answer, package.result())
        except MalformedAnswer as error:
            raise malformed_error(shell.host, error) from error


def _read_state(shell: Shell, host: Host, engine_settings: EngineSection, has_answered: bool) -> Sections:
    """Run the script. If it fails, find out whether sudo does."""
    api_mark = "answered" if has_answered else ""
    arguments = (host.ssh_user, str(engine_settings.apt_list), engine_settings.package or "", api_mark)
    try:
        sections = read_sections(shell, OPTIONS, CONTAINERS, STATE, arguments=arguments)
    except CommandFailed:
        check_sudo(shell, host)
        raise
    check_length(shell, str(engine_settings.apt_list), sections["apt_list"].file_text)
    return sections


def _build_facts(
    shell: Shell, sections: Sections, sent_at: float, answer: EngineAnswer | JobError, package: Package | None
) -> HostFacts:
    api = None if isinstance(answer, JobError) else answer
    info = (
        EngineInfo(str(api.engine.version["Version"]), api.storage_driver, api.membership)
        if api
        else parse_engine_info(sections["info"])
    )
    options = build_option_files(sections)
    return HostFacts(
        name=shell.host,
        engine_version=info.version,
        options_changed=bool(info.version) and changed_since_start(options, sections),
        api_reachable=api is not None,
        package=package,
        apt_source=sections["apt_list"].file_text or "",
        upgrade_state=_upgrade_state(sections),
        options=options,
        containers=_containers_of(shell, sections) if info.version else (),
        previously_running=_previously_running(sections),
        unfinished_run=_unfinished_run(sections),
        membership=info.membership,
        environment=parse_environment(sections, sent_at, info.storage_driver),
    )


def _upgrade_state(sections: Sections) -> str:
    values = parse_properties(sections["upgrade_unit"].text)
    return "" if values.get("LoadState") == "not-found" else values.get("ActiveState", "")


def _previously_running(sections: Sections) -> tuple[str, ...] | None:
    text = sections["running_containers"].file_text
    return None if text is None else tuple(text.split())


def _unfinished_run(sections: Sections) -> str:
    """Return the last run of an unfinished migration, "" for none. The files on the host survive a loss of Redis."""
    if sections["rollback_point"].file_text is None:
        return ""
    return FencingToken.parse((sections["fence"].file_text or "").strip()).run or "unknown"


def _containers_of(shell: Shell, sections: Sections) -> tuple[Container, ...]:
    """Return the containers in the sections. Read them again if that failed, for the error of the command."""
    section = sections["containers"]
    return read_containers(shell) if section.status else _parse_containers(shell, section.text)


def read_options_and_containers(shell: Shell) -> tuple[OptionFiles, tuple[Container, ...]]:
    """Return the daemon's options and the containers, with one command."""
    sections = read_sections(shell, OPTIONS, CONTAINERS)
    return complete_options(shell, sections), _containers_of(shell, sections)


def read_containers(shell: Shell) -> tuple[Container, ...]:
    """Return all containers of the host except tasks of services."""
    return _parse_containers(shell, shell.run(sudo(*script(CONTAINERS_SCRIPT))).stdout)


def _parse_containers(shell: Shell, text: str) -> tuple[Container, ...]:
    try:
        return containers.parse_containers(text)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise malformed_error(shell.host, MalformedAnswer("docker inspect")) from error
