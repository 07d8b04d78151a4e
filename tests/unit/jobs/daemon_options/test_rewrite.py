"""Only what belongs to the old swarm leaves; everything else stays as it is, byte for byte. Cases: tests/data/hosts."""

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
def test_a_host(case: Path) -> None:
    options, facts = read(case)
    result = rewrite(options, str(facts["target"]))
    assert {edit.path: edit.after for edit in result.edits} == texts(case / "want")
    assert [[finding.check, finding.level] for finding in result.findings] == facts["findings"]
    # Written down from what systemd itself makes of these files (systemd --test), not from our reading of them.
    assert daemon_options.argv(rewritten(options, facts["target"])) == tuple(shlex.split(str(facts["argv"])))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rewriting_twice_is_rewriting_once(case: Path) -> None:
    options, facts = read(case)
    assert rewrite(rewritten(options, facts["target"]), str(facts["target"])).edits == ()


def named(case: str, *, stale: bool = False) -> list[str]:
    options, facts = read(CASES[0].parent / case)
    return [finding.text for finding in rewrite(options, str(facts["target"]), options_changed=stale).findings]


def test_what_is_not_understood_is_told_with_its_file_and_line() -> None:
    start = "/etc/systemd/system/docker.service, line 3: Imker cannot remove"
    assert [text.split(" from this line")[0] for text in named("unit-shell")] == [
        f"{start} --cluster-store",
        f"{start} -g",
        f"{start} docker daemon",
    ]


def test_a_running_engine_of_other_files_says_nothing_of_these() -> None:
    assert "the running Engine has --live-restore" in " ".join(named("running-has-more"))
    assert named("running-has-more", stale=True) == []


KEPT = st.sampled_from(
    ["--tlsverify", "-H tcp://0.0.0.0:2376", "--label a=b", "--log-opt max-size=10m", "--dns=8.8.8.8", "-D"]
)


@given(st.lists(KEPT, min_size=1))
def test_put_back_once_and_for_all(flags: list[str]) -> None:
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
def test_a_diff_masks_secrets(secret: str) -> None:
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
def test_a_file_made_to_keep_imker_busy_is_read_in_seconds(path: str, text: str) -> None:
    began = time.process_time()
    made = rewrite(OptionFiles(UnitFacts("", (), ()), {path: text}), "26.1.5")
    assert time.process_time() - began < 20
    assert any(finding.level == "block" for finding in made.findings) is ("--cluster-store" in text)
    assert path.endswith(".json") is ([edit.after for edit in made.edits] == ['{"a":1}'])
