#!/usr/bin/python3
"""Pre-trains under Slurm with jobscripts/slurm/pretrain.sh, on a cluster of one node started here.

usage: slurm_test.py TENFOLD      exit code 77: no Slurm here, or not root

The first job is signalled before its time limit, exits with 75 and goes back to the queue; its second start continues, is
stopped on request and withdrawn; a second job takes the run to its end. A run that was continued has the first rows of its
trace, wall-clock times included, unchanged, and no step twice or left out.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from cluster import Cluster, missing
from ending import contain
from support import VOCABULARY, english_looking_text

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "jobscripts" / "slurm" / "pretrain.sh"
RANKS = 2
SKIPPED = 77
MODEL = ["--model.layers=1", "--model.width=32", "--model.heads=2", "--model.feed_forward=64", "--data.sequence_length=32",
         "--data.global_batch=8", "--data.corpus=corpus.h5", "--run.folder=run", "--optimizer.learning_rate=1e-4",
         "--checkpoint.every=1000000", "--validation.every=1000000"]


def trace(folder):
    """(steps, seconds of each) so far."""
    with h5py.File(folder / "run" / "trace.h5", "r", swmr=True) as file:
        steps, seconds = file["train/step"][:], file["train/seconds"][:]
    rows = min(len(steps), len(seconds))
    return steps[:rows], seconds[:rows]


def expect(condition, what):
    if not condition:
        raise AssertionError(what)
    print(f"ok: {what}", flush=True)


def await_job(cluster, job, what, condition, seconds=120):
    """Waits until condition(job's fields) holds."""
    end = time.monotonic() + seconds
    while not condition(fields := cluster.job(job)):
        ended = fields["JobState"] in ("FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL")
        if ended or time.monotonic() > end:
            output = (cluster.folder / f"tenfold-{job}.txt").read_text(errors="replace")
            raise AssertionError(f"job {job} is {fields['JobState']} instead of {what}\n{output}\n{cluster.log()}")
        time.sleep(0.5)
    print(f"ok: job {job}: {what}", flush=True)


def await_trace(folder, rows):
    end = time.monotonic() + 60
    while len(trace(folder)[0]) <= rows:
        if time.monotonic() > end:
            raise AssertionError(f"the trace does not grow beyond {rows} rows")
        time.sleep(0.5)


def expect_strays_are_refused(cluster, tenfold):
    """Tasks of srun that MPI takes for singletons are; what runs alone although the job has more tasks is not."""
    # Without this variable Open MPI does not see that srun started it, as one that was built without Slurm.
    hide = ["env", "--unset=SLURM_NODELIST"]
    stray = subprocess.run(["srun", f"--ntasks={RANKS}", *hide, tenfold, "--version"], capture_output=True, text=True, check=False,
                           env=cluster.environment, timeout=60)
    lines = [line for line in stray.stderr.splitlines() if line.startswith("tenfold:")]
    expect(stray.returncode == 2 and len(lines) == 1 and "do not know each other" in lines[0] and not stray.stdout,
           f"srun without PMIx is refused in one line: {stray.returncode} {stray.stdout}{stray.stderr}")
    job = cluster.run("sbatch", "--parsable", f"--ntasks={RANKS}", "--wrap", f"{tenfold} --version")
    await_job(cluster, job, "one program in the batch step of several tasks", lambda fields: fields["JobState"] == "COMPLETED")


def expect_requeued_while_loading(cluster, submit):
    """A signal that ends the program before its main begins."""
    program = cluster.folder / "loading"
    program.write_text("#!/bin/bash\nkill -USR1 $$\n")
    program.chmod(0o755)
    job = cluster.run(*submit, f"--export=ALL,TENFOLD={program}", str(SCRIPT))
    await_job(cluster, job, "signalled while loading and queued again",
              lambda fields: fields["Restarts"] == "1" and fields["JobState"] == "PENDING")
    cluster.run("scancel", job)


def run_test(cluster, tenfold):
    folder = cluster.folder
    (folder / "text.txt").write_text(english_looking_text(1, 150))
    cluster.run("srun", "--mpi=pmix", f"--ntasks={RANKS}", tenfold, "prepare", "--corpus.text=text.txt",
                "--corpus.file=corpus.h5", f"--tokenizer.vocabulary_size={VOCABULARY}")

    expect_strays_are_refused(cluster, tenfold)
    submit = ["sbatch", "--parsable", f"--ntasks={RANKS}", "--time=1"]
    expect_requeued_while_loading(cluster, submit)
    # Slurm looks at time limits about twice a minute: the signal comes within half a minute of the start.
    job = cluster.run(*submit, "--signal=USR1@45", str(SCRIPT), *MODEL, "--run.steps=1000000")
    await_job(cluster, job, "signalled, stopped and queued again",
              lambda fields: fields["Restarts"] == "1" and fields["JobState"] == "PENDING")
    output = (folder / f"tenfold-{job}.txt").read_text()
    expect("stopped with a checkpoint" in output, "the script saw exit code 75")
    first_steps, first_seconds = trace(folder)
    saved = sorted((folder / "run" / "checkpoints").glob("step-*.h5"))
    expect(len(saved) == 1 and f"step-{first_steps[-1]:08d}.h5" == saved[0].name, f"{saved[0].name} holds the last step")

    await_job(cluster, job, "started again", lambda fields: fields["JobState"] == "RUNNING")
    cluster.run("scontrol", "update", f"JobId={job}", "TimeLimit=30")
    await_trace(folder, len(first_steps))
    cluster.run("scancel", "--signal=USR1", job)
    await_job(cluster, job, "stopped on request",
              lambda fields: fields["Restarts"] == "2" and fields["JobState"] == "PENDING")
    cluster.run("scancel", job)
    steps, seconds = trace(folder)
    expect(np.array_equal(seconds[:len(first_seconds)], first_seconds), "the second start kept the rows of the first")
    expect(np.array_equal(steps, np.arange(1, len(steps) + 1)), "no step twice or left out")

    last = int(steps[-1]) + 20
    job = cluster.run(*submit, str(SCRIPT), *MODEL, f"--run.steps={last}")
    await_job(cluster, job, "completed", lambda fields: fields["JobState"] == "COMPLETED")
    final_steps, final_seconds = trace(folder)
    expect(np.array_equal(final_seconds[:len(seconds)], seconds), "the second job kept the rows of the first")
    expect(np.array_equal(final_steps, np.arange(1, last + 1)), f"the run ends at step {last}")


def main(tenfold):
    if reason := missing():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    contain()
    os.environ["TENFOLD"] = tenfold
    with tempfile.TemporaryDirectory() as folder, Cluster(folder, RANKS) as cluster:
        run_test(cluster, tenfold)
    print("passed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(str(pathlib.Path(sys.argv[1]).resolve()))
