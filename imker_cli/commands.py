"""Run each command with the code of bot and jobs. Each function imports what it needs, so that it starts fast."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

Command = Callable[[Namespace], int]


def run_init(arguments: Namespace) -> int:
    """Ask for what Imker needs, write the files, and run the doctor."""
    from imker_cli.init import flow

    return flow.run(arguments.force)


def run_all(_: Namespace) -> int:
    """Check the configuration, then run all four processes until one ends or a signal arrives."""
    from imker_cli import supervisor

    return _with_environment(lambda: supervisor.check_configuration() or supervisor.run())


def run_bot(_: Namespace) -> int:
    """Run the bot until SIGTERM or SIGINT."""
    from bot import serve

    return _with_environment(serve.main)


def run_reconciler(_: Namespace) -> int:
    """Run the reconciler until SIGTERM or SIGINT."""
    from bot.reconciler.__main__ import main

    return _with_environment(main)


def run_workers(arguments: Namespace) -> int:
    """Run the RQ workers of a queue until SIGTERM or SIGINT."""
    from jobs.__main__ import main

    return _with_environment(lambda: main([arguments.queue]))


def check(arguments: Namespace) -> int:
    """Print each problem of the configuration once."""
    from imker_cli import configuration

    return configuration.check(arguments.only, arguments.quiet)


def run_doctor(arguments: Namespace) -> int:
    """Print the findings of both doctors. Return 1 if a check failed."""
    from imker_cli import configuration

    return _with_environment(lambda: configuration.run_doctors(arguments.only))


def check_health(arguments: Namespace) -> int:
    """Print one line for each part that has to run. Return 1 if one does not."""
    from imker import health

    return _with_environment(lambda: health.main(arguments.parts))


def audit(arguments: Namespace) -> int:
    """Verify or export the audit log."""
    from bot import audit_cli

    return _with_environment(lambda: audit_cli.run(arguments))


def repair(arguments: Namespace) -> int:
    """Remove an invalid fencing number."""
    from jobs.repair import main

    return _with_environment(lambda: main(arguments.name))


def show_config(_: Namespace) -> int:
    """Print the settings in use and their sources."""
    from imker_cli import configuration

    return configuration.show()


def show_schema(_: Namespace) -> int:
    """Print the JSON schema of imker.toml."""
    from imker_cli import schema

    print(schema.render(), end="")
    return 0


def show_manifest(_: Namespace) -> int:
    """Print the manifest of the Slack app."""
    import bot

    print((Path(str(bot.__file__)).with_name("manifest.yaml")).read_text(), end="")
    return 0


def show_completion(arguments: Namespace) -> int:
    """Print the completion script of a shell."""
    print((Path(__file__).with_name("completions") / f"imker.{arguments.shell}").read_text(), end="")
    return 0


def show_version(_: Namespace) -> int:
    """Print Imker's version and the version of the protocol between its processes."""
    from importlib.metadata import version

    from imker.protocol.version import PROTOCOL_VERSION

    print(f"imker {version('imker')} (protocol {PROTOCOL_VERSION})")
    return 0


def _with_environment(run: Callable[[], int]) -> int:
    """Load the file .env, then run. A file that cannot be used ends the command with 2."""
    from imker.config import ConfigError
    from imker_cli import environment_file

    try:
        environment_file.load()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return run()
