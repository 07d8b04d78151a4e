"""A child process that does not outlive its parent, however that ends. Linux."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1


def end_with_parent(signum: signal.Signals) -> None:
    """Called in the child: the kernel sends it `signum` when the thread that made it is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
