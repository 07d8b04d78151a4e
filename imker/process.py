"""End a child process when its parent ends, however that happens. Linux only."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def end_with_parent(signum: signal.Signals, parent: int) -> None:
    """Ask the kernel to send `signum` to this process when its parent ends. Call it in the child. `parent`: PID.

    If the parent has ended before this call, the kernel sends nothing. This process then signals itself.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)
