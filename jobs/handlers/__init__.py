"""Handle the commands: one file per command. Its handler registers itself with `@dispatch.register`."""

from importlib import import_module
from pkgutil import iter_modules

from jobs.handlers.dispatcher import dispatch

__all__ = ["dispatch"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
