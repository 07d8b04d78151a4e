"""Reach hosts: SSH with paramiko, and the Engine API with the Docker SDK."""

from imker.lean_imports import import_without

import_without("paramiko", "invoke")  # for `Match exec` in an SSH configuration
import_without("requests", "chardet", "charset_normalizer")  # guess an encoding; the Engine's answers are UTF-8
