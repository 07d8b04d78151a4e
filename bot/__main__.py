"""`python -m bot` takes commands and clicks; `python -m bot audit` looks at the record."""

import sys

from bot import audit, serve

USAGE = "usage: python -m bot [audit verify | audit export]"


def main(argv: list[str]) -> int:
    match argv:
        case []:
            return serve.main()
        case ["audit", *rest]:
            return audit.main(rest)
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
