"""`python -m bot` takes commands and clicks; `audit` looks at the record, `doctor` at what is set up, `check` at the
configuration alone.
"""

import sys

from bot import audit_cli, doctor, serve, settings
from imker.doctor import check_configuration

USAGE = "usage: python -m bot [check | doctor | audit verify | audit export]"


def main(argv: list[str]) -> int:
    match argv:
        case []:
            return serve.main()
        case ["audit", *rest]:
            return audit_cli.main(rest)
        case ["check"]:
            return check_configuration(settings.load)
        case ["doctor"]:
            return doctor.main()
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
