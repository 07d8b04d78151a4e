"""Read Ansible inventories: the cases are in tests/data/ansible.toml."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker_cli.init.answers.ansible import parse_inventory
from imker_cli.init.answers.model import AnswerError

CASES = tomllib.loads(Path("tests/data/ansible.toml").read_text())["case"]
TEXT = st.text("[]:=ab01 \n{}'\"#-,", max_size=60)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_reads_hosts_and_groups(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(AnswerError) as refusal:
            parse_inventory(case["text"], is_yaml=case["format"] == "yaml")
        assert case["error"] in str(refusal.value)
        return
    hosts = parse_inventory(case["text"], is_yaml=case["format"] == "yaml")
    assert {host.name: dict(host.section) for host in hosts} == case["hosts"]
    groups = {host.name: sorted(host.groups) for host in hosts}
    assert {name: groups[name] for name in case.get("groups", {})} == case.get("groups", {})


@given(TEXT, st.booleans())
def test_reads_or_refuses_any_text(text: str, is_yaml: bool) -> None:
    try:
        hosts = parse_inventory(text, is_yaml=is_yaml)
    except AnswerError:
        return
    assert all(host.section["address"] for host in hosts)
