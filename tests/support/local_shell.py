"""Run the commands of a host on this machine, without sudo."""

import subprocess

from jobs.connectors.shell import LOSSLESS_ERRORS, Command, Output


class LocalShell:
    """A Shell of this machine as the host kaditz."""

    host = "kaditz"

    def run(self, command: Command) -> Output:
        stdin = command.stdin.encode(errors=LOSSLESS_ERRORS)
        result = subprocess.run(command.words, input=stdin, capture_output=True, timeout=command.timeout)
        texts = (stream.decode(errors="replace") for stream in (result.stdout, result.stderr))
        return Output(result.returncode, *texts, result.stdout).check(self.host, command)

    def reconnect(self) -> None:
        """Do nothing: no connection can be lost."""
