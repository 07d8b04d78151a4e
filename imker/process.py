"""A child process that does not outlive its parent, however that ends. Linux."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def end_with_parent(signum: signal.Signals, parent: int) -> None:
    """Called in the child: the kernel sends it `signum` when the thread that made it is gone. `parent`: its PID.

    One that was gone before the kernel was asked is nobody's death any more.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)
