"""Run the bot, or one of its commands.

`check` validates the configuration. `doctor` also checks Slack, Redis, and the other processes. `audit` verifies or
exports the audit log.
"""

import sys

from bot import settings
from imker.doctor import check_configuration

USAGE = "usage: python -m bot [check | doctor | audit verify | audit export]"


def main(argv: list[str]) -> int:
    """Run the command and return the exit status. Each command imports what it needs: a serving bot stays small."""
    match argv:
        case []:
            from bot import serve

            return serve.main()
        case ["audit", *rest]:
            from bot import audit_cli

            return audit_cli.main(rest)
        case ["check"]:
            return check_configuration(settings.load)
        case ["doctor"]:
            from bot import doctor

            return doctor.main()
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
