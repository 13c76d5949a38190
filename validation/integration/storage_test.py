#!/usr/bin/env python3
"""What a run keeps in its folder survives damage, a full disk, and other jobs.

    storage_test.py TENFOLD
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock

import support

KEYS = {"run.steps": 30, "checkpoint.every": 10, "checkpoint.keep": 3}
RANKS = 2


def can_mount():
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode != 0:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


needs_mount = unittest.skipUnless(can_mount(), "needs the right to mount a file system")


@contextlib.contextmanager
def small_disk(mebibytes):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder], check=True)
        try:
            yield support.RunFolder(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def bare_file_systems(count_in=""):
    """Every file system as one without fallocate and locks; what ranks read of checkpoints is counted in that folder."""
    library = pathlib.Path(support.program).parent / "libbare_file_system.so"
    with unittest.mock.patch.dict(support.ENVIRONMENT, {
            "LD_PRELOAD": str(library), "BYTES_READ": str(count_in),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}):
        yield


def truncate(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flip_bit_of_last_header(path):
    """Of the last object header of an HDF5 file in its newest format."""
    data = bytearray(path.read_bytes())
    data[data.rfind(b"OHDR") + 30] ^= 2
    path.write_bytes(data)


def flip_bit_of_seal(path):
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)


def empty(path):
    os.truncate(path, 0)


def in_manifest(run):
    """Names of the checkpoints that the manifest lists."""
    return [pathlib.Path(path).name for path in json.loads((run.run / "manifest.json").read_text())["checkpoints"]]


class Storage(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.enterClassContext(support.temporary_run())
        cls.whole.pretrain(RANKS, KEYS)

    def expect_same_end(self, run):
        self.assert_same_bits(support.state(run.checkpoints()[-1]), support.state(self.whole.checkpoints()[-1]))
        self.assertEqual(run.trace()["loss"].tobytes(), self.whole.trace()["loss"].tobytes())

    def test_the_newest_checkpoints_are_kept(self):
        names = lambda run: [file.name for file in run.checkpoints()]
        self.assertEqual(names(self.whole), ["step-00000010.h5", "step-00000020.h5", "step-00000030.h5"])
        run = self.folder()
        run.pretrain(RANKS, {**KEYS, "checkpoint.keep": 1})
        self.assertEqual(names(run), ["step-00000030.h5"])

    def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(self):
        for damage in (truncate, flip_bit, flip_bit_of_seal, empty):
            run = self.whole.copy(self.folder())
            damage(run.checkpoints()[-1])
            damaged = run.checkpoints()[-1].read_bytes()
            result = run.pretrain(RANKS, KEYS)
            self.assertRegex(result.stdout, r"skipped damaged checkpoint .*step-00000030\.h5: \w", damage)
            self.assertIn("skipped damaged checkpoint", (run.run / "log.txt").read_text())
            self.assertIn("resumed at step 20", result.stdout, damage)
            self.expect_same_end(run)
            self.assertEqual(in_manifest(run), [f"step-{step:08d}.h5" for step in (30, 20, 10)])
            (aside,) = run.run.glob("checkpoints/*.damaged")
            self.assertEqual(aside.read_bytes(), damaged, "what was damaged is never deleted")

    def test_a_run_never_silently_starts_over(self):
        run = self.whole.copy(self.folder())
        for file in run.checkpoints():
            flip_bit(file)
        before = {file: file.read_bytes() for file in run.checkpoints()}
        for resume in ("auto", "always"):
            result = run.pretrain(RANKS, {**KEYS, "run.resume": resume}, code=2)
            for file in before:
                self.assertIn(file.name, result.stderr)
            self.assertEqual({file: file.read_bytes() for file in run.checkpoints()}, before)
        result = run.pretrain(RANKS, {**KEYS, "run.resume": "never"}, code=2)
        self.assertIn("already holds a run", result.stderr)

    def test_a_damaged_trace_or_manifest_is_named_with_a_way_out(self):
        for name, damage in {"trace.h5": flip_bit_of_last_header, "manifest.json": empty}.items():
            run = self.whole.copy(self.folder())
            damage(run.run / name)
            (line,) = support.our_lines(run.pretrain(RANKS, {**KEYS, "run.steps": 40}, code=2).stderr)
            self.assertRegex(line, rf"{name}.* away to resume")
            self.assertIn(name, support.expect_code(2, support.tenfold("inspect", run.run / name)).stderr)
            (run.run / name).rename(run.path / name)
            run.pretrain(RANKS, {**KEYS, "run.steps": 40})

    def test_a_used_folder_is_no_place_for_a_new_run(self):
        run = self.whole.copy(self.folder())
        before = run.checkpoints()[-1].read_bytes(), (run.run / "trace.h5").read_bytes()
        result = run.pretrain(RANKS, {**KEYS, "run.resume": "never"}, code=2)
        self.assertEqual(len(support.our_lines(result.stderr)), 1, result.stderr)
        self.assertIn("run.resume=auto", result.stderr)
        self.assertEqual((run.checkpoints()[-1].read_bytes(), (run.run / "trace.h5").read_bytes()), before)

    def test_a_second_job_in_the_folder_is_refused(self):
        run = self.folder()
        with run.start(RANKS, {"run.steps": 1000000}) as job:
            job.wait_for_step(1)
            result = run.pretrain(RANKS, {"run.steps": 1000000}, code=2)
            (line,) = support.our_lines(result.stderr)
            self.assertRegex(line, r"in use by another job \(host \S+, pid \d+, job none\)")
            self.assertIn(int(line.split("pid ")[1].split(",")[0]), job.ranks(), "names the holder")
            self.assertIsNone(job.process.poll(), "the first job goes on")
        result = run.pretrain(RANKS, {"run.steps": 1000000, "run.resume": "never"}, code=2)
        self.assertIn("already holds a run", result.stderr, "the lock died with its holder")

    def test_a_file_system_without_reservation_gives_the_same_run(self):
        run = self.folder()
        with bare_file_systems():
            run.pretrain(RANKS, KEYS)
        self.assertEqual(run.checkpoints()[-1].read_bytes(), self.whole.checkpoints()[-1].read_bytes())
        self.assertFalse((run.run / "lock.exclusive").exists(), "gone with its holder")

    @needs_mount
    def test_without_reservation_a_full_disk_is_a_clean_error_too(self):
        with small_disk(8) as run, bare_file_systems():
            run.pretrain(RANKS, {**KEYS, "run.steps": 10})
            before = run.checkpoints()[0].read_bytes()
            with run.start(RANKS, {**KEYS, "run.steps": 1000000, "checkpoint.every": 80}) as job:
                job.wait_for_step(12)
                (run.path / "ballast").write_bytes(bytes(shutil.disk_usage(run.path).free - (1 << 19)))
                ended = job.end()
            self.assertEqual(ended.returncode, 1, ended.stderr)
            (line,) = support.our_lines(ended.stderr)
            self.assertRegex(line, "(?i)space|bytes are free")
            self.assertEqual([file.read_bytes() for file in run.checkpoints()], [before])

    def test_without_locks_a_second_job_is_refused_and_a_dead_ones_place_is_told(self):
        run = self.folder()
        keys = {"run.steps": 1000000, "checkpoint.every": 5}
        with bare_file_systems():
            with run.start(RANKS, keys) as job:
                job.wait_for("^saved ")
                (line,) = support.our_lines(run.pretrain(RANKS, keys, code=2).stderr)
                self.assertRegex(line, r"in use by another job \(host \S+, pid \d+, job none\)")
                self.assertRegex(line, r"mount option flock.* remove run/lock\.exclusive$")
                self.assertIsNone(job.process.poll(), "the first job goes on")
            (line,) = support.our_lines(run.pretrain(RANKS, keys, code=2).stderr)
            self.assertRegex(line, r"if that job is gone, remove run/lock\.exclusive$")
            (run.run / "lock.exclusive").unlink()
            done = int(run.checkpoints()[-1].stem[-8:])
            self.assertIn(f"resumed at step {done}", run.pretrain(RANKS, {**keys, "run.steps": done}).stdout)

    def test_a_resume_reads_each_byte_once(self):
        run = self.folder()
        keys = {"run.steps": 2, "model.width": 192, "model.feed_forward": 768}
        run.pretrain(RANKS, keys)
        size = run.checkpoints()[-1].stat().st_size
        for ranks in (1, 2, 3):
            counts = run.path / f"read-by-{ranks}"
            counts.mkdir()
            with bare_file_systems(counts):
                result = run.pretrain(ranks, keys)  # nothing is left to do
            read = sum(int(file.read_text()) for file in counts.iterdir())
            self.assertGreater(read, size * 0.99)
            self.assertLess(read, size * 1.1, f"{ranks} ranks")
            shown = re.search(r"read (\S+) MiB of (\S+) MiB in all over", result.stdout)
            self.assertEqual(shown[1], shown[2])
            self.assertIn(shown[0], (run.run / "log.txt").read_text())

    def test_a_resume_names_what_has_changed(self):
        run = self.whole.copy(self.folder())
        result = run.pretrain(RANKS, {**KEYS, "run.steps": 31, "log.every": 2})
        changes = [line for line in result.stdout.splitlines() if line.startswith("changed since the checkpoint: ")]
        self.assertEqual(len(changes), 2, result.stdout)
        self.assertRegex(changes[0], r"log\.every 1 -> 2$")
        self.assertRegex(changes[1], r"run\.steps 30 -> 31; the learning rate follows")
        for line in changes:
            self.assertIn(line, (run.run / "log.txt").read_text())

    @needs_mount
    def test_room_for_all_checkpoints_is_asked_for(self):
        with small_disk(4) as run:
            (line,) = support.our_lines(run.pretrain(RANKS, {**KEYS, "checkpoint.keep": 20}, code=2).stderr)
            self.assertRegex(line, r"run/checkpoints: only \d+ bytes are free, and 21 more checkpoints take \d+ .*checkpoint\.keep")
            run.pretrain(RANKS, {**KEYS, "checkpoint.keep": 1})

    @needs_mount
    def test_a_full_disk_is_a_clean_error(self):
        with small_disk(8) as run:
            run.pretrain(RANKS, {**KEYS, "run.steps": 30})
            for file in run.checkpoints()[1:]:
                file.unlink()
            before = run.checkpoints()[0].read_bytes()
            ballast = run.path / "ballast"

            def fill(left):
                ballast.write_bytes(bytes(shutil.disk_usage(run.path).free - left))

            def expect_clean_error(output):
                self.assertEqual(len(support.our_lines(output)), 1, output)
                self.assertRegex(output, "(?i)space|bytes are free")
                self.assertEqual([file.read_bytes() for file in run.checkpoints()], [before], "the old set is intact")
                ballast.unlink()
                self.assertEqual(list(run.run.glob("checkpoints/*.part")), [])

            # Too little for a checkpoint; for the trace; for anything: all seen before any work.
            for left in (1 << 20, 1 << 16, 0):
                fill(left)
                result = run.pretrain(RANKS, KEYS, code=2)
                self.assertNotIn("step 11", result.stdout)
                expect_clean_error(result.stderr)
            for left in (1 << 20, 1 << 16):  # by someone else's files, while the run is at work
                with run.start(RANKS, {**KEYS, "run.steps": 1000000, "checkpoint.every": 80}) as job:
                    job.wait_for_step(12)
                    fill(left)
                    ended = job.end()
                self.assertEqual(ended.returncode, 1, ended.stderr)
                expect_clean_error(ended.stderr)
            run.pretrain(RANKS, KEYS)
            self.expect_same_end(run)

    @needs_mount
    def test_prepare_on_a_full_disk_and_in_a_read_only_folder(self):
        text = self.folder().path / "text.txt"
        text.write_text(support.english_looking_text(1, 200))
        with small_disk(1) as run:
            (run.path / "ballast").write_bytes(bytes(shutil.disk_usage(run.path).free - 100_000))
            arguments = ["prepare", f"--corpus.text={text}", f"--corpus.file={run.path / 'corpus.h5'}",
                         f"--tokenizer.vocabulary_size={support.VOCABULARY}"]
            for lack in ("make room", "Read-only file system"):
                (line,) = support.our_lines(support.expect_code(2, support.tenfold(*arguments, ranks=2)).stderr)
                self.assertRegex(line, rf"corpus\.file.*({lack})")
                self.assertEqual([file.name for file in run.path.iterdir()], ["ballast"])
                subprocess.run(["mount", "-o", "remount,ro", str(run.path)], check=True)

    @needs_mount
    def test_a_read_only_folder_is_refused(self):
        with small_disk(4) as run:
            subprocess.run(["mount", "-o", "remount,ro", str(run.path)], check=True)
            for ranks in (None, 2):
                result = run.pretrain(ranks, KEYS, code=2)
                (line,) = support.our_lines(result.stderr)
                self.assertRegex(line, r"run\.folder.*Read-only file system")
                self.assertEqual(list(pathlib.Path(run.path).iterdir()), [])


if __name__ == "__main__":
    support.main()
