"""Read, rewrite, merge, and diff the Docker daemon's options, in all files that they come from. Pure."""

from jobs.daemon_options.diff import diff
from jobs.daemon_options.effective import argv, config_file, effective, listens_locally, listens_tcp
from jobs.daemon_options.environment_file import variables as assignments
from jobs.daemon_options.model import FileEdit, Option, OptionFiles, Rewrite, UnitFacts
from jobs.daemon_options.rewrite import clean_files, clean_variables, merge_variables, rewrite

__all__ = [
    "FileEdit",
    "Option",
    "OptionFiles",
    "Rewrite",
    "UnitFacts",
    "argv",
    "assignments",
    "clean_files",
    "clean_variables",
    "config_file",
    "diff",
    "effective",
    "listens_locally",
    "listens_tcp",
    "merge_variables",
    "rewrite",
]
