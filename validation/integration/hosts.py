"""Two hosts on this machine, for a test: network namespaces with names of their own and a cable between them. As root.

The namespaces have no name in the file system: they go with their last process.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

PROGRAMS = ("unshare", "nsenter", "ip", "mpirun")
NAMES = ("alpha", "beta")
ADDRESSES = ("10.213.7.1", "10.213.7.2")


def missing():
    """What keeps the hosts from being made here, in words; empty if nothing does."""
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    if absent:
        return f"not installed: {' '.join(absent)}"
    tried = subprocess.run(["unshare", "--net", "--uts", "ip", "link", "add", "one", "type", "veth", "peer", "name", "two"],
                           capture_output=True, text=True, check=False)
    return f"no network namespaces: {tried.stderr.strip()}" if tried.returncode != 0 else ""


class Hosts:
    """Context manager; `folder` takes the script by which mpirun reaches the second host."""

    def __init__(self, folder):
        self.agent = pathlib.Path(folder) / "agent"
        self.holders = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pid in (pid for host in range(len(self.holders)) for pid in self.processes(host)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for holder in self.holders:
            holder.wait()

    def mpirun(self, ranks, *words):
        """Command line that runs a program with so many ranks on each host, the first host's ranks first."""
        hosts = ",".join(f"{address}:{count}" for address, count in zip(ADDRESSES, ranks))
        return [*self._inside(0), "mpirun", "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", str(self.agent), "--mca", "btl",
                "self,vader,tcp", "--mca", "orte_tmpdir_base", str(self.agent.parent), "--bind-to", "none", "--host", hosts, "-n", str(sum(ranks)), *map(str, words)]

    def processes(self, host):
        """Process ids of all that runs there, mpirun and its helpers among them."""
        namespace = os.readlink(f"/proc/{self.holders[host].pid}/ns/net")
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                if os.readlink(entry / "ns" / "net") == namespace:
                    found.append(int(entry.name))
        return found

    def ranks(self, host, program):
        """Those that run this program."""
        found = []
        for pid in self.processes(host):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(program):
                    found.append(pid)
        return found

    def cut(self):
        """Nothing reaches the other host any more, and nobody is told."""
        self._run(1, "ip", "link", "set", "cable", "down")

    def _inside(self, host):
        return ["nsenter", f"--target={self.holders[host].pid}", "--net", "--uts"]

    def _run(self, host, *words):
        subprocess.run([*self._inside(host), *words], check=True, capture_output=True)

    def _start(self):
        for name in NAMES:
            holder = subprocess.Popen(["unshare", "--net", "--uts", "sleep", "infinity"])
            self.holders.append(holder)
            own = os.readlink("/proc/self/ns/net")
            while os.readlink(f"/proc/{holder.pid}/ns/net") == own or os.readlink(f"/proc/{holder.pid}/exe").endswith("unshare"):
                time.sleep(0.01)
            self._run(len(self.holders) - 1, "hostname", name)
        self._run(0, "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(self.holders[1].pid))
        for host, address in enumerate(ADDRESSES):
            self._run(host, "ip", "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                self._run(host, "ip", "link", "set", device, "up")
        self.agent.write_text(f'#!/bin/sh\nshift\nexec {" ".join(self._inside(1))} /bin/sh -c "$*"\n')
        self.agent.chmod(0o755)
