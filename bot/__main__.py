"""`python -m bot` takes commands and clicks; `audit` looks at the record, `doctor` at what is set up, `check` at the
configuration alone.
"""

import sys

from bot import audit_cli, doctor, serve, settings
from imker.config import ConfigError

USAGE = "usage: python -m bot [check | doctor | audit verify | audit export]"


def main(argv: list[str]) -> int:
    match argv:
        case []:
            return serve.main()
        case ["audit", *rest]:
            return audit_cli.main(rest)
        case ["check"]:
            return check()
        case ["doctor"]:
            return doctor.main()
        case _:
            print(USAGE, file=sys.stderr)
            return 2


def check() -> int:
    """All that is wrong with the configuration, a line each."""
    try:
        settings.load()
    except ConfigError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
