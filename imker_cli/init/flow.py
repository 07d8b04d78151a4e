"""Run `imker init`: ask, write the files, and run the doctor. Nothing is written before the last answer."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.settings import SLACK_API_URL
from imker.config import ConfigError
from imker.secret_files import SECRETS, read_secrets
from imker.text import strip_control
from imker_cli import configuration, environment_file
from imker_cli.init import slack_questions
from imker_cli.init.answers import file_texts
from imker_cli.init.answers.model import AnswerError, SlackAnswers
from imker_cli.init.host_questions import ask_hosts
from imker_cli.init.new_files import NewFile, write_files
from imker_cli.init.slack_questions import BOT_TOKEN, SLACK_ERRORS
from imker_cli.init.terminal import Terminal

KEYS = ("IMKER_SIGNING_KEY", "IMKER_AUDIT_KEY")  # secrets that are generated
BACKUP_SUFFIX = ".old"


@dataclass(frozen=True)
class Target:
    """The files of a configuration. `is_forced`: whether existing ones are replaced."""

    config: Path
    is_forced: bool

    @property
    def environment(self) -> Path:
        return self.config.with_name(".env")

    @property
    def known_hosts(self) -> Path:
        return self.config.with_name("known_hosts")

    @property
    def existing(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.config, self.environment) if path.exists())

    @property
    def keeps_config(self) -> bool:
        return self.config.exists() and not self.is_forced


def run(is_forced: bool) -> int:
    """Run all questions. Return the doctor's exit status, 1 if it was stopped, 2 if it cannot ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("imker init asks questions: run it in a terminal.", file=sys.stderr)
        return 2
    target = Target(Path(os.environ.get("IMKER_CONFIG") or "imker.toml").absolute(), is_forced)
    terminal = Terminal()
    try:
        files = collect_files(terminal, target)
    except (KeyboardInterrupt, EOFError):
        return _stop("")
    except (AnswerError, ConfigError, OSError) as error:
        return _stop(str(error))
    try:
        write_files(files)
    except OSError as error:
        return _stop(f"{error}.")
    for file in files:
        terminal.say(f"{file.path} is written.")
    return _check(terminal)


def collect_files(terminal: Terminal, target: Target) -> tuple[NewFile, ...]:
    """Ask everything and return the files to write."""
    if not os.access(target.config.parent, os.W_OK):
        raise AnswerError(f"{target.config.parent} is no folder that you can write to.")
    if target.existing and not target.is_forced:
        _ask_keep(terminal, target)
        environment_file.load()
    present = _present_secrets()
    tokens, answers = _ask_slack(terminal, target, present)
    environment = _environment_file(target, tokens, present)
    if answers is None:
        return environment
    hosts = ask_hosts(terminal, target.known_hosts)
    slack_sections, comments = file_texts.slack_sections(answers)
    text = file_texts.render_toml({**slack_sections, **hosts.sections}, comments)
    return (*_known_hosts_file(target, hosts.known_hosts_lines), *environment, *_config_files(target, text))


def _ask_slack(
    terminal: Terminal, target: Target, present: dict[str, str]
) -> tuple[dict[str, str], SlackAnswers | None]:
    """Return the tokens, and what was chosen in Slack, None if imker.toml is kept. Raise AnswerError."""
    api_url = os.environ.get("SLACK_API_URL") or SLACK_API_URL
    try:
        tokens = slack_questions.ask_tokens(terminal, present, api_url)
        if target.keeps_config:
            return tokens, None
        return tokens, slack_questions.ask_slack(terminal, slack_questions.connect(tokens[BOT_TOKEN], api_url))
    except SLACK_ERRORS as error:
        hint = "Check that this machine can reach Slack."
        raise AnswerError(f"Slack did not respond as expected ({error}). {hint}") from error


def _ask_keep(terminal: Terminal, target: Target) -> None:
    """Ask whether existing files are kept. Raise AnswerError if not."""
    names = " and ".join(path.name for path in target.existing)
    terminal.say(f"{target.config.parent} has {names}. `imker init --force` would replace this.")
    if terminal.ask("Type keep to keep it and add what is missing, or stop", str.lower, "stop") != "keep":
        raise AnswerError("")


def _present_secrets() -> dict[str, str]:
    """Return the secrets that are set already, in the environment or in files."""
    values, problems = read_secrets(SECRETS)
    if problems:
        raise ConfigError(problems)
    return {name: value for name, value in values.items() if value}


def _environment_file(target: Target, tokens: dict[str, str], present: dict[str, str]) -> tuple[NewFile, ...]:
    """Return .env with the secrets that are not set already. Keys of a former file stay."""
    former = target.environment.read_text() if target.environment.exists() else ""
    missing = [name for name in KEYS if name not in present.keys() | file_texts.find_variables(former)]
    values = {name: token for name, token in tokens.items() if name not in present}
    values |= {name: secrets.token_hex(32) for name in missing}
    text = file_texts.render_environment(former, values)
    return (NewFile(target.environment, text, 0o600),) if values else ()


def _known_hosts_file(target: Target, lines: tuple[str, ...]) -> tuple[NewFile, ...]:
    """Return known_hosts with these lines added."""
    former = target.known_hosts.read_text().splitlines() if target.known_hosts.exists() else []
    text = "".join(f"{line}\n" for line in dict.fromkeys([*former, *lines]))
    return (NewFile(target.known_hosts, text),)


def _config_files(target: Target, text: str) -> tuple[NewFile, ...]:
    """Return imker.toml, and a copy of the one that it replaces."""
    backup = target.config.with_name(target.config.name + BACKUP_SUFFIX)
    former = (NewFile(backup, target.config.read_text()),) if target.config.exists() else ()
    return (*former, NewFile(target.config, text))


def _check(terminal: Terminal) -> int:
    """Run the doctor with the new files, without expecting running processes."""
    terminal.say("\nThe doctor checks tokens, rights, Redis, keys, and every host:")
    environment_file.load()
    status = configuration.run_doctors(None, is_started=False)
    if status:
        terminal.say("\nCorrect what failed, and run `imker doctor` again.")
    else:
        terminal.say("\nAll is ready. Start Imker: `imker up`. Then type `/swarm help` in the channel.")
    return status


def _stop(reason: str) -> int:
    print(f"\n{strip_control(reason)}{' ' * bool(reason)}Stopped: no file was written.", file=sys.stderr)
    return 1
