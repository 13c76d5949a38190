#!/usr/bin/python3
"""Runs a command and leaves no process of it behind, however it ends: done, failed, interrupted, or killed without a warning.

usage: validation/supervise.py [--with-parent] COMMAND [ARGUMENT ...]      exit code: the command's, 128 + N after signal N
    --with-parent: ends also when the process that started it ends

A second process, the keeper, starts the command and adopts whatever loses its parent below it, a daemon in a session of its own
too. It watches a pipe whose other end only the first process holds. When that closes, or the command has ended, the keeper
interrupts what is left and kills what does not end by that.
"""
import contextlib
import ctypes
import os
import pathlib
import select
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
GRACE = 3  # seconds from the interrupt to the kill
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ask_kernel(option, value):
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def descendants():
    """Process ids of all that stand below this process."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, size = {os.getpid()}, 0
    while len(found) > size:
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


def signal_all(number):
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_all():
    """Interrupts all that are left, and kills those that stay."""
    signal_all(signal.SIGINT)
    deadline = time.monotonic() + GRACE
    with contextlib.suppress(ChildProcessError):  # none is left
        while True:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
            if time.monotonic() > deadline:
                signal_all(signal.SIGKILL)  # again and again: one may be starting another
            time.sleep(0.05)


def status_of(pid, life):
    """Exit status of that child once it ends, None if `life` closes before; takes note of adopted ones that end meanwhile."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == pid:
            return status
        if ended == 0 and select.select([life], [], [], 0.1)[0]:
            return None


def keep(command, life):
    """The keeper: runs the command until it ends or `life` closes; its exit code."""
    os.setsid()  # the terminal's interrupt goes to the first process alone
    ask_kernel(PR_SET_CHILD_SUBREAPER, 1)
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    status = status_of(os.posix_spawnp(command[0], command, os.environ), life)
    end_all()
    code = 1 if status is None else os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main():
    with_parent = sys.argv[1:2] == ["--with-parent"]
    command = sys.argv[1 + with_parent:]
    if not command:
        sys.exit(__doc__)
    life, held = os.pipe()
    received = []

    def let_go(number, _):
        if not received:
            os.close(held)
        received.append(number)

    for number in ENDING:
        signal.signal(number, let_go)
    if with_parent:
        ask_kernel(PR_SET_PDEATHSIG, signal.SIGTERM)
    keeper = os.fork()
    if keeper == 0:
        os.close(held)
        os._exit(keep(command, life))
    os.close(life)
    status = os.waitpid(keeper, 0)[1]
    sys.exit(128 + received[0] if received else os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
