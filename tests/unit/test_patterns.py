"""Every regular expression of the product takes linear time on long texts."""

import ast
import importlib
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "jobs", "imker")
METHODS = ("search", "match", "fullmatch", "findall", "sub", "split", "finditer", "subn")
# Characters of a text, and seconds of processor time: linear takes a tenth of that, quadratic ten times as much. The
# bounds are 1.2 microseconds per character of a long text, and a picosecond per pair of its characters.
SHORT, SOON = 2**17, 3
LONG, LATE = 2**20, 1.25
BUILT = {
    "jobs.facts.apt_source": {"component": type("Component", (), {"before": "stable", "after": "test"})}
}  # local names


def repeated(piece: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda size: before + piece * (size // len(piece)) + after


TEXTS = {
    "a": repeated("a"),
    "a, and then something else": repeated("a", after="\x00!"),
    "spaces": repeated(" "),
    "spaces before a word": repeated(" ", before="x", after="x"),
    "digits": repeated("9"),
    "digits and colons": repeated("1: "),
    "schemes": repeated("://::::"),
    "users": repeated("a:b@c/", before="://"),
    "double quotes": repeated('"'),
    "single quotes": repeated("'"),
    "quoted words": repeated('"a" '),
    "one open quote": repeated("a ", before='"'),
    "newlines": repeated("\n"),
    "carriage returns": repeated("\r"),
    "spaces and newlines": repeated(" \n"),
    "tabs": repeated("\t"),
    "a link of ip": repeated("a", before="1: "),
    "links of ip": repeated("1: aaaa "),
    "an address of ip": repeated(" ", before="1: eth0", after="inet"),
    "backslashes": repeated("\\"),
    "backslashes at ends of lines": repeated("\\\n"),
    "dollars": repeated("${a"),
    "percents": repeated("%"),
    "equals": repeated("a="),
    "a name without a value": repeated("token "),
    "secrets": repeated('"password": "'),
    "secrets in words": repeated("passwordtoken"),
    "flags": repeated("--a "),
    "dashes": repeated("-"),
    "dashes apart": repeated("- "),
    "users apart": repeated("a:,"),
    "schemes before a quote": repeated("://" * 85 + '"@'),
    "docker's flags": repeated("-a ", before="docker "),
    "dockers": repeated("docker "),
    "dockers as flags": repeated("docker -"),
    "brackets": repeated("["),
    "braces": repeated("{"),
    "less": repeated("<"),
    "links": repeated("<https:"),
    "links with a name": repeated("<https:a|"),
    "mentions": repeated("<@U1", after=">"),
    "escapes": repeated("\x1b["),
    "an escape without an end": repeated("0", before="\x1b["),
    "sections": repeated("==a\n"),
    "JWTs": repeated("eyJ"),
    "a JWT of dots": repeated("eyJaaaaaaaa."),
    "a JWT after a JWT": repeated("-eyJaaaaaaaa.eyJ"),
    "keys of AWS": repeated("AKIA"),
    "hooks": repeated("hooks.slack.com/"),
    "a hook": repeated("a/", before="hooks.slack.com/services/"),
    "tokens": repeated("ghp_"),
    "a token of GitHub": repeated("github_pat_"),
    "a token of GitLab": repeated("glpat-"),
    "begins of keys": repeated("-----BEGIN A-----"),
    "capitals of a key": repeated("A ", before="-----BEGIN "),
    "blocks of YAML": repeated("token: |\n  a\n"),
    "one block of YAML": repeated("  a\n", before="token: |\n"),
    "comments": repeated("#"),
    "exports": repeated("export "),
    "slashes": repeated("/"),
    "dots": repeated("1."),
    "commas": repeated(", "),
    "marks of mrkdwn": repeated("*_~`"),
}

WHOLE = ("a", "spaces", "digits", "schemes", "double quotes", "newlines", "links of ip", "a link of ip")


def modules() -> Iterator[ModuleType]:
    for path in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        if path.name != "__main__.py":
            yield importlib.import_module(
                ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            )


def held_by(value: object) -> Iterator[re.Pattern[Any]]:
    """Yield the patterns of a module's attribute, also those in tuples and mappings."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | set | frozenset):
        for inner in value:
            yield from held_by(inner)
    elif isinstance(value, dict):
        yield from held_by(tuple(value.values()))


def calls(module: ModuleType) -> Iterator[ast.Call]:
    """Yield the method calls on a plain name, such as re.sub or PATTERN.match."""
    for call in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
        ):
            yield call


def patterns_in(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Yield each use of a pattern: its place, the pattern, and the method. Fail for an unknown function of `re`."""
    names = {**vars(module), **BUILT.get(module.__name__, {})}
    for call in calls(module):
        assert isinstance(call.func, ast.Attribute)
        assert isinstance(call.func.value, ast.Name)
        method, owner, where = call.func.attr, call.func.value.id, f"{module.__name__}:{call.lineno}"
        if owner == "re" and method not in ("escape", "compile"):
            assert method in METHODS, f"{where}: re.{method} is not known to this test"
            given = [word.value for word in call.keywords if word.arg == "flags"] or call.args[2 + ("sub" in method) :]
            built = [eval(compile(ast.Expression(part), where, "eval"), names) for part in (call.args[0], *given[:1])]
            yield where, re.compile(*built), method
        elif isinstance(names.get(owner), re.Pattern) and method in METHODS:
            yield where, names[owner], method


def patterns() -> dict[str, tuple[re.Pattern[Any], str]]:
    """Return all patterns by place. A pattern without a use by name, such as in a table, is tested with finditer."""
    by_place = {where: (pattern, method) for module in modules() for where, pattern, method in patterns_in(module)}
    used = {pattern for pattern, _ in by_place.values()}
    for module in modules():
        for name, value in vars(module).items():
            for number, pattern in enumerate(held_by(value)):
                if pattern not in used:
                    used.add(pattern)
                    by_place[f"{module.__name__}.{name}.{number}"] = (pattern, "finditer")
    return by_place


PATTERNS = patterns()


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after that many seconds of CPU time, which a busy machine does not stretch."""

    def late(_: int, __: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def applied(pattern: re.Pattern[Any], method: str, characters: str) -> None:
    text: Any = characters.encode() if isinstance(pattern.pattern, bytes) else characters
    if method in ("sub", "subn"):
        pattern.sub(text[:0], text)
    elif method in ("findall", "finditer"):
        for _ in pattern.finditer(text):
            pass
    elif method == "split":
        pattern.split(text)
    else:
        getattr(pattern, method)(text)


def test_finds_every_pattern() -> None:
    """Check for a few known patterns, in attributes and in calls, that the search works."""
    names = {str(pattern.pattern) for pattern, _ in PATTERNS.values()}
    assert len(PATTERNS) > 60
    assert any(name.startswith("SWMTKN") for name in names)
    assert any("stable" in name for name in names)


@pytest.mark.timeout(600)  # of a machine that is busy; what is measured is the processor's time
@pytest.mark.parametrize("name", PATTERNS)
def test_pattern_takes_linear_time(name: str) -> None:
    pattern, method = PATTERNS[name]
    slow = []
    for text, build in TEXTS.items():
        for size, seconds in ((SHORT, SOON), *([(LONG, LATE)] if text in WHOLE else [])):
            try:
                with processor_time(seconds):
                    applied(pattern, method, build(size))
            except TimeoutError:
                slow.append(f"{size} of {text}")
    assert slow == [], f"{pattern.pattern!r} is slow with these"
