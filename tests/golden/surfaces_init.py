"""Format what `imker init` asks and writes, with an answer to each question and each mistake."""

import os
from pathlib import Path

import pytest

from imker_cli.init import flow
from imker_cli.init.answers.model import AnswerError
from imker_cli.init.terminal import Terminal
from lab.slack.server_process import free_port
from tests.golden.text_layout import page, section

TOKENS = ("xoxb-lab", "xapp-lab")
PEOPLE = ("", "alice", "bob")  # and the channel


def dialogues(folder: Path, slack_url: str, patch: pytest.MonkeyPatch) -> str:
    """Return each dialogue: what is printed, and what is answered."""
    for name in [name for name in os.environ if name.startswith(("SLACK_", "IMKER_", "REDIS_"))]:
        patch.delenv(name)
    patch.setenv("HOME", str(folder))
    patch.delenv("SSH_AUTH_SOCK", raising=False)
    patch.setenv("SLACK_API_URL", f"{slack_url}/api/")
    (folder / "hosts.ini").write_text("kaditz ansible_host='{{ x }}'\n")
    (folder / "key").touch(mode=0o600)
    (folder / "config").write_text(
        f"Host kaditz\n  HostName 127.0.0.1\n  Port {free_port()}\n  IdentityFile {folder}/key\n"
    )
    hosts = (
        str(folder),
        "hosts",
        f"{folder}/none",
        f"{folder}/hosts.ini",
        "a@b@c",
        "kaditz=127.0.0.1",
        f"{folder}/config x",
    )
    mistakes = ("xapp-lab", "nonsense", "xoxb-wrong", TOKENS[0], "xapp-wrong", TOKENS[1], "dev", "none", "")
    people = ("eve", ",", "alice", "alice", "perhaps", "no", "alice", "yes")
    dialogue = _play(folder, False, *mistakes, *people, *hosts, f"{folder}/config", "tondi", "kaditz")
    (folder / "imker.toml").write_text("")
    (folder / ".env").touch(mode=0o600)
    parts = [("a file that exists", False, ("",)), ("--force", True, (*TOKENS, *PEOPLE, f"{folder}/config", ""))]
    sections = [section(title, *_play(folder, forced, *answers)) for title, forced, answers in parts]
    patch.setenv("SLACK_BOT_TOKEN", "xoxb-wrong")
    refused = section("a token that is set, and refused", *_play(folder, False, "keep"))
    patch.setenv("SLACK_API_URL", "http://127.0.0.1:9/")
    away = section("Slack is away", *_play(folder, False, "keep"))
    return page(section("every mistake", *dialogue), *sections, refused, away).replace(str(folder), "FOLDER")


def _play(folder: Path, is_forced: bool, *answers: str) -> list[str]:
    """Return the lines of a dialogue with these answers, and the files that it would write."""
    lines: list[str] = []
    rest = iter(answers)

    def read(prompt: str) -> str:
        answer = next(rest)
        lines.append(f"{prompt}{answer}")
        return answer

    terminal = Terminal(read, lambda prompt: read(f"(hidden) {prompt}"), lines.append)
    try:
        files = flow.collect_files(terminal, flow.Target(folder / "imker.toml", is_forced))
    except AnswerError as error:
        lines.append(f"! {error}")
        files = ()
    printed = [line for text in lines for line in text.splitlines()]
    for file in files:
        printed += [f"--- {file.path}, {file.mode:o}", *map(_mask, file.text.splitlines())]
    return printed


def _mask(line: str) -> str:
    """Return the line without a random key."""
    name, _, value = line.partition("=")
    return f"{name}=(64 hex digits)" if len(value) == 64 and name.startswith("IMKER_") else line
