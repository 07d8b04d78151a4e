"""Test that a rewrite removes only the classic Swarm's options, byte for byte. Cases: tests/data/hosts."""

import json
import shlex
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import daemon_options
from jobs.daemon_options import FileEdit, OptionFiles, UnitFacts, environment_file, merge_variables, rewrite

CASES = sorted((Path(__file__).parents[3] / "data/hosts").iterdir())
PACKAGED = "/lib/systemd/system/docker.service"
UNIT = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"


def texts(folder: Path) -> dict[str, str]:
    return {f"/{path.relative_to(folder)}": path.read_bytes().decode() for path in folder.rglob("*") if path.is_file()}


def read(case: Path) -> tuple[OptionFiles, dict[str, object]]:
    facts = json.loads((case / "case.json").read_text())
    unit = UnitFacts(facts["fragment"], tuple(facts["drop_ins"]), tuple(facts["environment_files"]))
    running = tuple(facts.get("command_line", "").split())
    return OptionFiles(unit, texts(case / "in"), running, hostname=facts.get("hostname", "")), facts


def rewritten(options: OptionFiles, target: object) -> OptionFiles:
    return replace(options, files={**options.files, **{e.path: e.after for e in rewrite(options, str(target)).edits}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rewrites_the_files_of_a_host(case: Path) -> None:
    options, facts = read(case)
    result = rewrite(options, str(facts["target"]))
    assert {edit.path: edit.after for edit in result.edits} == texts(case / "want")
    assert [[finding.check, finding.level] for finding in result.findings] == facts["findings"]
    # Expected values come from systemd itself (systemd --test), not from this parser.
    assert daemon_options.argv(rewritten(options, facts["target"])) == tuple(shlex.split(str(facts["argv"])))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rewrite_is_idempotent(case: Path) -> None:
    options, facts = read(case)
    assert rewrite(rewritten(options, facts["target"]), str(facts["target"])).edits == ()


def finding_texts(case: str, *, stale: bool = False) -> list[str]:
    options, facts = read(CASES[0].parent / case)
    return [finding.text for finding in rewrite(options, str(facts["target"]), options_changed=stale).findings]


def test_reports_options_that_it_cannot_remove_with_file_and_line() -> None:
    start = "/etc/systemd/system/docker.service, line 3: Imker cannot remove"
    assert [text.split(" from this line")[0] for text in finding_texts("unit-shell")] == [
        f"{start} --cluster-store",
        f"{start} -g",
        f"{start} docker daemon",
    ]


def test_ignores_the_running_engine_after_option_files_changed() -> None:
    assert "the running Engine has --live-restore" in " ".join(finding_texts("running-has-more"))
    assert finding_texts("running-has-more", stale=True) == []


KEPT = st.sampled_from(
    ["--tlsverify", "-H tcp://0.0.0.0:2376", "--label a=b", "--log-opt max-size=10m", "--dns=8.8.8.8", "-D"]
)


@given(st.lists(KEPT, min_size=1))
def test_merging_restored_variables_is_idempotent(flags: list[str]) -> None:
    expected = f"# ours\nexport http_proxy='http://p:3128'\nDOCKER_OPTS=\"\n{chr(10).join(flags)}\n\"\n"
    maintainers = "# the maintainer's file\n#DOCKER_OPTS=\n"
    after = merge_variables(maintainers, expected)
    assert after.startswith(maintainers)
    assert environment_file.variables(after) == environment_file.variables(expected)
    assert merge_variables(after, expected) == after


SECRETS = (
    "http://user:HUNTER2@proxy:3128",
    "--log-opt splunk-token=HUNTER2",
    '"registry-password": "HUNTER2"',
    "A_SECRET=HUNTER2",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_redacts_secrets_in_a_diff(secret: str) -> None:
    diff_text = daemon_options.diff((FileEdit("/etc/default/docker", f"{secret}\n", f"{secret} more\n"),))
    assert "HUNTER2" not in diff_text
    assert "more" in diff_text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/default/docker", 'DOCKER_OPTS="' + "--cluster-store=a " * 3000 + '"\n'),
        ("/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd " + "--cluster-store=a " * 3000),
        ("/etc/docker/daemon.json", "{" + '"cluster-store":"",' * 3000 + '"a":1}'),
        ("/etc/default/docker", "A=" + '""' * 30000),
        ("/etc/default/docker", "A=" + "a" * 60000),
    ],
    ids=["a variable", "a unit", "daemon.json", "quotes", "one long value"],
)
def test_parses_a_malicious_file_within_seconds(path: str, text: str) -> None:
    began = time.process_time()
    result = rewrite(OptionFiles(UnitFacts("", (), ()), {path: text}), "26.1.5")
    assert time.process_time() - began < 20
    assert any(finding.level == "block" for finding in result.findings) is ("--cluster-store" in text)
    assert path.endswith(".json") is ([edit.after for edit in result.edits] == ['{"a":1}'])
