import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker import signing
from imker.config import ConfigError
from imker.signing import SigningKey

KEY = "0123456789abcdef" * 4


@given(st.text(), st.text())
def test_verifies_only_the_signed_text_with_the_same_key(text: str, other: str) -> None:
    signature = SigningKey(KEY).sign(text)
    assert SigningKey(KEY).verify(text, signature)
    assert SigningKey(KEY).verify(other, signature) is (other == text)
    assert not SigningKey(KEY[::-1]).verify(text, signature)
    assert not SigningKey(KEY).verify(text, other)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"REDIS_URL": "redis://elsewhere"}, "IMKER_SIGNING_KEY: missing"),
        ({"IMKER_SIGNING_KEY": "hunter2"}, "IMKER_SIGNING_KEY: too short"),
        ({"REDIS_URL": "redis://elsewhere", "IMKER_SIGNING_KEY": KEY}, ""),
        ({"IMKER_SIGNING_KEY": f"{KEY},hunter2"}, "IMKER_SIGNING_KEY: too short"),
        ({"IMKER_SIGNING_KEY": f"{KEY},"}, "at least 32 characters each, in NEW,OLD"),
        ({"IMKER_SIGNING_KEY": f"{KEY}, {KEY[::-1]}"}, ""),
        ({}, ""),
    ],
)
def test_reports_a_key_problem_without_the_key(environment: dict[str, str], says: str) -> None:
    problem = signing.key_problem(environment)
    assert says in problem
    assert bool(problem) is bool(says)
    assert environment.get("IMKER_SIGNING_KEY", KEY) not in problem
    if says:
        with pytest.raises(ConfigError, match="openssl rand -hex 32"):
            signing.load_signing_key(environment)


@given(st.text(), st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True), st.integers(0, 4))
def test_signs_with_the_first_key_and_accepts_all(text: str, chosen: list[int], other: int) -> None:
    keys = [character * 32 for character in "abcde"]
    loaded = signing.load_signing_key({"IMKER_SIGNING_KEY": ",".join(keys[number] for number in chosen)})
    assert loaded.sign(text) == SigningKey(keys[chosen[0]]).sign(text)
    assert loaded.verify(text, SigningKey(keys[other]).sign(text)) is (other in chosen)


def test_repr_of_a_key_hides_the_secret() -> None:
    assert KEY not in f"{SigningKey(KEY, KEY)!r} {SigningKey(KEY)}"


def test_concurrent_processes_share_one_private_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMKER_STATE", str(tmp_path))
    keys: list[SigningKey] = []
    threads = [threading.Thread(target=lambda: keys.append(signing.load_signing_key({}))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.sign("x") for key in keys}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["signing.key"]
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "signing.key").chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        signing.load_signing_key({})
