"""A test that is interrupted leaves no process behind: neither ranks nor daemons."""

import ctypes
import os
import pathlib
import signal

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)


def contain():
    """Goes on in a grandchild. The child between is the parent of all orphans that come of it, and kills whatever is left
    when it has ended, or when this process or its parent (CTest) has."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if guardian := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(guardian, 0)[1]))
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, end_all)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if test := os.fork():
        while (ended := os.wait())[0] != test:
            pass
        end_all(code=os.waitstatus_to_exitcode(ended[1]))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_all(*_, code=1):
    """Kills all children of this process and then theirs, which become its own, and ends it."""
    children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
    while pids := children.read_text().split():
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        os.wait()
    os._exit(code)
