#!/usr/bin/env python3
"""jobscripts/pbs/pretrain.sh as PBS runs it. PBS itself is not here: its two commands are stand-ins that answer as it does and
write down what they were asked.

    pbs_test.py TENFOLD
"""

import pathlib
import subprocess

import support

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "jobscripts" / "pbs" / "pretrain.sh"
SELECT = "1:ncpus=2:mpiprocs=2:host=a-name-so-long-that-qstat-breaks-the-line"
STAND_INS = {
    "qstat": r"""[ "$*" = "-f 7.server" ] || exit 153
echo "Job Id: 7.server"
printf '    %s = %s\n' Job_Name tenfold Resource_List.place free Resource_List.select "${SELECT:0:50}"$'\n\t'"${SELECT:50}" \
  Resource_List.walltime "$WALLTIME" server here
""",
    "qsub": r"""printf '%s\n' "$@" "$ARGUMENTS" "$TENFOLD" >>submitted
echo 8.server
"""}


class Pbs(support.TestCase):
    def job(self, run, walltime, keys, program=None):
        """The finished job, and the lines of what it submitted."""
        for name, words in STAND_INS.items():
            (run.path / name).write_text("#!/bin/bash\n" + words)
            (run.path / name).chmod(0o755)
        (run.path / "nodes").write_text("localhost\nlocalhost\n")
        _, *arguments = support.pretrain_arguments({"run.resume": None, **keys})
        environment = {**support.ENVIRONMENT, "PATH": f"{run.path}:{support.ENVIRONMENT['PATH']}", "PBS_JOBID": "7.server",
                       "PBS_NODEFILE": str(run.path / "nodes"), "PBS_O_WORKDIR": str(run.path), "TENFOLD": str(program or support.program),
                       "ARGUMENTS": " ".join(arguments), "SELECT": SELECT, "WALLTIME": walltime}
        result = subprocess.run([str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=support.TIMEOUT)
        submitted = run.path / "submitted"
        return result, environment["ARGUMENTS"], submitted.read_text().splitlines() if submitted.exists() else []

    def test_a_run_that_is_stopped_before_the_walltime_is_submitted_again(self):
        run = self.folder()
        result, arguments, submitted = self.job(run, "00:02:08", {"run.steps": 1000000})
        support.expect_code(75, result)
        (checkpoint,) = run.checkpoints()
        self.assertIn(" 2 ranks, ", result.stdout)
        self.assertEqual(int(checkpoint.stem[-8:]), run.trace()["step"][-1])
        self.assertEqual(submitted, ["-l", f"select={SELECT}", "-l", "walltime=00:02:08", "-v", "ARGUMENTS,TENFOLD",
                                     "jobscripts/pbs/pretrain.sh", arguments, support.program])
        self.assertIn("job 8.server goes on", result.stdout)

    def test_a_run_that_a_signal_ends_before_it_begins_is_submitted_again(self):
        for name, code in (("USR1", 138), ("TERM", 143)):
            run = self.folder()
            program = run.path / "loading"
            program.write_text(f"#!/bin/bash\nkill -{name} $$\n")
            program.chmod(0o755)
            result, _, submitted = self.job(run, "01:00:00", {}, program)
            support.expect_code(code, result)
            self.assertEqual(submitted[-1], str(program))

    def test_a_run_that_is_done_is_not_submitted_again(self):
        result, _, submitted = self.job(self.folder(), "01:00:00", {"run.steps": 3})
        support.expect_code(0, result)
        self.assertEqual(submitted, [])

    def test_a_walltime_that_leaves_no_time_is_refused(self):
        for walltime in ("00:02:00", "00:01:09"):
            run = self.folder()
            result, _, submitted = self.job(run, walltime, {"run.steps": 3})
            support.expect_code(2, result)
            self.assertRegex(result.stderr, rf"^.*pretrain\.sh: walltime={walltime}.*\n$")
            self.assertEqual((submitted, run.run.exists()), ([], False))


if __name__ == "__main__":
    support.main()
