"""What the measuring scripts share: placing processes on cores, running them, and naming commit and machine."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def available_cores():
    return sorted(os.sched_getaffinity(0))


def on_cores(cores, command):
    """The command with one rank a core, each pinned to its own."""
    if len(cores) == 1:
        return ["taskset", "-c", str(cores[0]), *command]
    words = ["mpirun", "--oversubscribe", "--bind-to", "none"]
    for n, core in enumerate(cores):
        words += [":"] * (n > 0) + ["-n", "1", "taskset", "-c", str(core), *command]
    return words


def start(command, **options):
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, **options)


def json_of(process, command):
    """The JSON object that a started command prints; ends the script if the command fails."""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nfailed with {process.returncode}")
    return json.loads(output)


def run_json(command):
    return json_of(start(command), command)


def bench(tenfold, settings):
    """Command line of a `tenfold bench` with these keys."""
    return [str(tenfold), "bench", "--json", *(f"--{key}={value}" for key, value in settings.items())]


def provenance(tenfold):
    """Commit, version and machine in one line."""
    def line(*command):
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()[0].strip()

    commit = line("git", "describe", "--always", "--dirty", "--abbrev=12")
    with open("/proc/cpuinfo") as cpus:
        processor = next(text.split(":")[1].strip() for text in cpus if text.startswith("model name"))
    return f"commit {commit}; {line(str(tenfold), '--version')}; {processor}, {len(available_cores())} cores available"
