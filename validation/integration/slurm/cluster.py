"""A Slurm cluster of one node on this machine, for a test: munged, slurmctld and slurmd of its own, on loopback, as root."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue")


def missing():
    """What keeps a cluster from being started here, in words; empty if nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    return f"not installed: {' '.join(absent)}" if absent else ""


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for listener in sockets:
        listener.bind(("127.0.0.1", 0))
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


class Cluster:
    """Context manager: `folder` takes configuration, logs and state; the daemons end with the context."""

    def __init__(self, folder, cpus):
        self.folder = pathlib.Path(folder)
        self.cpus = cpus
        self.daemons = []
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def run(self, *command):
        """Standard output of a Slurm command."""
        done = subprocess.run(command, env=self.environment, cwd=self.folder, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def job(self, number):
        """State of a job as scontrol shows it, e.g. {"JobState": "RUNNING", "Restarts": "1", ...}."""
        fields = self.run("scontrol", "--oneliner", "show", "job", str(number)).split()
        return dict(field.split("=", 1) for field in fields if "=" in field)

    def log(self):
        """The last lines of what each daemon has written."""
        return "\n".join(f"== {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
                         for path in sorted(self.folder.glob("*.log")))

    def _start(self):
        munge_socket, key = self.folder / "munge.socket", self.folder / "munge.key"
        subprocess.run(["mungekey", "--create", f"--keyfile={key}"], check=True)
        self._spawn("munged", "munged", "--foreground", "--force", f"--socket={munge_socket}", f"--key-file={key}",
                    f"--pid-file={self.folder / 'munged.pid'}", f"--seed-file={self.folder / 'munge.seed'}")
        self._await("munged", munge_socket.exists)
        self._write_configuration(munge_socket)
        self._spawn("slurmctld", "slurmctld", "-D", "-i")
        self._await("slurmctld", lambda: self._succeeds("scontrol", "ping"))
        self._spawn("slurmd", "slurmd", "-D", "-N", "node")
        self._await("slurmd", lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T"))

    def _write_configuration(self, munge_socket):
        controller_port, node_port = _free_ports(2)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        # A credential's lifetime is also how long a requeued job waits; there are no control groups and no accounting here.
        (self.folder / "slurm.conf").write_text(f"""ClusterName=test
SlurmctldHost={socket.gethostname().split('.')[0]}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge_socket},cred_expire=5
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
TmpFS={self.folder}
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=5
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
NodeName=node NodeAddr=127.0.0.1 NodeHostname={socket.gethostname().split('.')[0]} CPUs={self.cpus} State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP
""")

    def _spawn(self, name, *command):
        with open(self.folder / f"{name}.log", "w", encoding="utf-8") as log:
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))

    def _succeeds(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0

    def _await(self, name, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if self.daemons[-1].poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} did not start\n{self.log()}")
            time.sleep(0.2)
