"""Test properties of the rewrite: other options are unchanged, it is idempotent, and the file stays valid."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.daemon_options import OptionFiles, UnitFacts, argv, rewrite

PACKAGED, UNIT = "/lib/systemd/system/docker.service", "/etc/systemd/system/docker.service"
DROP_IN, DEFAULTS = "/etc/systemd/system/docker.service.d/10-machine.conf", "/etc/default/docker"
DAEMON_JSON = "/etc/docker/daemon.json"
READS = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd $DOCKER_OPTS\n"

# How it is written -> the words that the daemon gets.
STAYS: list[tuple[str, list[str]]] = [
    ("--tlsverify", ["--tlsverify"]),
    ("-H tcp://0.0.0.0:2376", ["-H", "tcp://0.0.0.0:2376"]),
    ("-Hfd://", ["-Hfd://"]),
    ('--label "a=b c"', ["--label", "a=b c"]),
    ('"--dns" "8.8.8.8"', ["--dns", "8.8.8.8"]),
    ('--label=q="x y"', ["--label=q=x y"]),
    ("-D", ["-D"]),
    ('--bip ""', ["--bip", ""]),
    ("--log-opt max-size=10m", ["--log-opt", "max-size=10m"]),
]
LEAVES = [
    "--cluster-store=consul://a:8500",
    "--cluster-store consul://a",
    '"--cluster-store" "consul://a"',
    '"--cluster-store=consul://a b"',
    "--cluster-advertise=eth0:2376",
    "--cluster-store-opt kv.path=x",
    '--cluster-store-opt="kv.path=x y"',
    "--live-restore",
    '"--live-restore=true"',
]
OLD = [("-g /data", ["--data-root", "/data"]), ("--graph=/data", ["--data-root=/data"])]
words = st.sampled_from([*STAYS, *OLD]) | st.sampled_from(LEAVES).map(lambda text: (text, None))
Written = list[tuple[tuple[str, list[str] | None], str]]  # (option, value) and the space before it


def written(*gaps: str) -> st.SearchStrategy[Written]:
    return st.lists(st.tuples(words, st.sampled_from(gaps)), max_size=8)


def text(options: Written) -> str:
    return "".join(gap + word for (word, _), gap in options)


def expected_options(options: Written) -> tuple[str, ...]:
    return tuple(word for (_, stays), _ in options for word in stays or ())


def check(before: OptionFiles, options: Written, path: str) -> str:
    """Return the text of `path` after the rewrite, and assert all properties."""
    result = rewrite(before, "26.1.5")
    after = replace(before, files={**before.files, **{edit.path: edit.after for edit in result.edits}})
    assert argv(after) == expected_options(options)
    assert rewrite(after, "26.1.5").edits == ()
    assert "options not understood" not in [finding.check for finding in result.findings]
    assert len([flag for flag in result.dropped if "MountFlags" not in flag]) == sum(s is None for (_, s), _ in options)
    return after.files[path]


in_unit = written(" ", "  ", "\t", " \\\n  ", "\\\n", " \\\r\n  ", " \\\n# why --cluster-store=x\n  ", " \\\n  ; why\n")
programs = st.sampled_from(
    ["/usr/bin/dockerd", "/usr/bin/docker daemon", "-/usr/bin/docker \\\n  -d", "@/x/docker docker daemon"]
)
ends = st.sampled_from(["\n", " \n", " \\\n\n", " \\\n  # why\n\n"])


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.lstrip()[:1] in ("#", ";")]


@given(programs, in_unit, ends)
def test_rewrites_a_complete_unit(program: str, options: Written, end: str) -> None:
    unit = f"[Unit]\n# ours\n[Service]\nExecStart={program}{text(options)}{end}MountFlags=slave\nRestart=always\n"
    after = check(OptionFiles(UnitFacts(UNIT, (), ()), {UNIT: unit}), options, UNIT)
    assert comments(after) == comments(unit)
    assert after.startswith("[Unit]\n# ours\n[Service]\nExecStart=")
    assert after.endswith("\nRestart=always\n")
    assert "MountFlags" not in after


@given(programs, in_unit, ends)
def test_rewrites_a_drop_in_that_resets_the_unit(program: str, options: Written, end: str) -> None:
    drop_in = f"[Service]\nExecStart=\nExecStart={program}{text(options)}{end}Environment=\n"
    files = {PACKAGED: "[Service]\nExecStart=/usr/bin/dockerd -H fd:// --icc=false\n", DROP_IN: drop_in}
    after = check(OptionFiles(UnitFacts(PACKAGED, (DROP_IN,), ()), files), options, DROP_IN)
    assert comments(after) == comments(drop_in)
    assert after.startswith("[Service]\nExecStart=\nExecStart=")
    assert after.endswith("\nEnvironment=\n")


@given(written(" ", "  ", " \\\n  ", " \\\n# why\n"), st.sampled_from("'\""))
def test_rewrites_a_variable_of_the_unit(options: Written, quote: str) -> None:
    value = text(options).replace(quote, "\"'".replace(quote, ""))
    unit = (
        f"[Service]\nEnvironment=A=b {quote}DOCKER_OPTS={value}{quote} C=d\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n"
    )
    after = check(OptionFiles(UnitFacts(UNIT, (), ()), {UNIT: unit}), options, UNIT)
    assert comments(after) == comments(unit)
    assert after.startswith(f"[Service]\nEnvironment=A=b {quote}DOCKER_OPTS=")
    assert after.endswith(f"{quote} C=d\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n")


@given(written(" ", "  ", "\t", "\n", " \n "), st.sampled_from("'\""), st.sampled_from(["", "export "]))
def test_rewrites_an_environment_file(options: Written, quote: str, export: str) -> None:
    value = text(options).replace(quote, "\"'".replace(quote, ""))
    defaults = f"# ours\n{export}DOCKER_OPTS={quote}{value}{quote}\n  # --live-restore\nTZ=UTC\n"
    files = {PACKAGED: READS, DEFAULTS: defaults}
    after = check(OptionFiles(UnitFacts(PACKAGED, (), (f"-{DEFAULTS}",)), files), options, DEFAULTS)
    assert after.startswith(f"# ours\n{export}DOCKER_OPTS={quote}")
    assert after.endswith(f"{quote}\n  # --live-restore\nTZ=UTC\n")


@given(written(" ", "  ", " \\\n ", "\t"))
def test_rewrites_an_environment_file_without_quotes(options: Written) -> None:
    # A quote at the start would enclose the value, so a plain word comes first.
    files = {PACKAGED: READS, DEFAULTS: f"DOCKER_OPTS=--icc=false{text(options)}\nTZ=UTC\n"}
    first: Written = [(("--icc=false", ["--icc=false"]), "")]
    after = check(OptionFiles(UnitFacts(PACKAGED, (), (DEFAULTS,)), files), first + options, DEFAULTS)
    assert after.endswith("\nTZ=UTC\n")


GONE = ("cluster-store", "cluster-advertise", "cluster-store-opts", "live-restore")
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
keys = st.text(max_size=5).filter(lambda key: key != "graph") | st.sampled_from([*GONE, "debug", "labels"])


@given(
    st.dictionaries(keys, values | st.dictionaries(st.sampled_from(GONE), values), max_size=6),
    st.sampled_from(["", " ", "\n  ", "\r\n\t"]),
    st.sampled_from([": ", ":", " : "]),
    st.booleans(),
)
def test_rewrites_daemon_json(document: dict[str, Any], gap: str, colon: str, ascii_only: bool) -> None:
    """Remaining members are unchanged, byte for byte, also in nested objects."""

    def plain(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only)

    def members(document: dict[str, Any]) -> str:
        return ",".join(f"{gap}{plain(key)}{colon}{plain(value)}" for key, value in document.items())

    stays = {key: value for key, value in document.items() if key not in GONE}
    before = f"\ufeff{{{members(document)}{gap}}}\n"
    options = OptionFiles(UnitFacts("", (), ()), {DAEMON_JSON: before})
    result = rewrite(options, "26.1.5")
    after = result.edits[0].after if result.edits else before
    assert json.loads(after.removeprefix("\ufeff")) == stays
    assert after == (f"\ufeff{{{members(stays)}{gap}}}\n" if stays or not result.edits else f"\ufeff{{{gap}}}\n")
    assert rewrite(replace(options, files={DAEMON_JSON: after}), "26.1.5").edits == ()
    assert sorted(result.dropped) == sorted(document.keys() - stays.keys())
