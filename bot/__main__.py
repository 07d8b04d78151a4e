"""`python -m bot` takes commands and clicks; `audit` looks at the record, `doctor` at what is set up."""

import sys

from bot import audit, doctor, serve

USAGE = "usage: python -m bot [doctor | audit verify | audit export]"


def main(argv: list[str]) -> int:
    match argv:
        case []:
            return serve.main()
        case ["audit", *rest]:
            return audit.main(rest)
        case ["doctor"]:
            return doctor.main()
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
