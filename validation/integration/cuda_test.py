#!/usr/bin/env python3
"""The program on a GPU, or on the emulated one, against itself on the host.

    cuda_test.py TENFOLD        built with kernels for GPUs
"""

import signal

import numpy

import support

SMALL = {"run.steps": 5, "data.global_batch": 4, "data.micro_batch": 2, "model.width": 64, "model.heads": 4, "model.feed_forward": 128,
         "validation.sequences": 4, "validation.every": 5, "precision.compute": "f32"}
NOTES = {"notes.enabled": "true", "notes.window": 2}
GRID = [("mlm", "absolute", {}), ("electra", "tupe-r", NOTES), ("multiple-choice", "relative", NOTES), ("mlm", "tupe-a", NOTES)]


class Cuda(support.TestCase):
    def train(self, device, ranks=1, run=None, code=0, **keys):
        run = run or self.folder()
        # A corpus with rare words in every step.
        corpus = support.corpus(rare_min_count=20, rare_max_count=80)
        run.result = run.pretrain(ranks, {"data.corpus": corpus, **SMALL, "run.device": device, **keys}, code)
        return run

    def test_the_curve_is_that_of_the_host(self):
        for kind, position, notes in GRID:
            keys = {"objective.kind": kind, "model.position": position, **notes}
            host, cuda = self.train("host", **keys), self.train("cuda", ranks=2, **keys)
            # A last bit may turn a draw over, and with it a token: the first step is before any.
            exact = "loss" if kind == "mlm" else "loss_mlm"
            self.assert_close(cuda.trace()[exact], host.trace()[exact], 1e-5, f"{kind} {exact}")
            for column in ("loss", "gradient_norm"):
                self.assert_close(cuda.trace()[column], host.trace()[column], 1e-4 if kind == "mlm" else 2e-3, f"{kind} {column}")
            self.assertEqual(cuda.trace()["tokens"].tolist(), host.trace()["tokens"].tolist())
            self.assertEqual(cuda.trace("validation").keys(), host.trace("validation").keys())

    def test_the_table_of_ranks_names_the_device(self):
        result = self.train("auto", ranks=2, **{"run.steps": 1}).result
        self.assertIn("device = cuda", result.stdout)
        self.assertEqual(result.stdout.count("GPU-"), 2)

    def test_bf16_stays_near_f32(self):
        f32, bf16 = (self.train("cuda", **{"precision.compute": precision}).trace()["loss"] for precision in ("f32", "bf16"))
        self.assert_close(bf16, f32, 0.01, "bf16")
        self.assertFalse(numpy.array_equal(bf16, f32))

    def test_the_same_bits_twice_by_nccl_and_by_mpi(self):
        keys = {"objective.kind": "multiple-choice", **NOTES}
        runs = [self.train("cuda", ranks=2, **keys, **{"parallel.communicator": kind}) for kind in ("nccl", "nccl", "mpi")]
        states = [support.state(run.checkpoints()[-1]) for run in runs]
        self.assert_same_bits(states[0], states[1], "twice")
        self.assert_close(runs[2].trace()["loss"], runs[0].trace()["loss"], 1e-6, "by MPI")

    def test_a_checkpoint_goes_on_on_another_device(self):
        for first, second in (("host", "cuda"), ("cuda", "host")):
            run = self.train(first, **{"run.steps": 5, "checkpoint.every": 3})
            whole = self.train(first, **{"run.steps": 5})
            other = run.copy(self.folder())
            for path in other.checkpoints()[1:]:
                path.unlink()
            resumed = self.train(second, run=other, **{"run.steps": 5})
            self.assert_close(resumed.trace()["loss"], whole.trace()["loss"], 1e-5, f"{first} to {second}")

    def test_killed_and_resumed_is_the_same_run(self):
        keys = {"objective.kind": "electra", **NOTES, "checkpoint.every": 2, "run.steps": 6, "run.device": "cuda"}
        corpus = {"data.corpus": support.corpus(rare_min_count=20, rare_max_count=80)}
        run = self.folder()
        with run.start(2, {**corpus, **SMALL, **keys}) as job:
            job.wait_for_step(3)
            job.kill()
        self.train("cuda", ranks=2, run=run, **keys)
        whole = self.train("cuda", ranks=2, **keys)
        self.assert_same_bits(support.state(run.checkpoints()[-1]), support.state(whole.checkpoints()[-1]), "killed and resumed")

    def test_a_signal_saves(self):
        run = self.folder()
        with run.start(2, {**SMALL, "run.device": "cuda", "run.steps": 1000}) as job:
            job.wait_for_step(2)
            job.process.send_signal(signal.SIGUSR1)
            self.assertEqual(job.end().returncode, 75)
        self.assertEqual(len(run.checkpoints()), 1)

    def test_too_large_for_the_gpu_is_refused_with_what_would_fit(self):
        run = self.train("cuda", code=2, **{"data.global_batch": 4096, "data.micro_batch": 4096, "model.width": 256, "model.layers": 12,
                                            "model.feed_forward": 1024})
        (line,) = support.our_lines(run.result.stderr)
        self.assertIn("MiB free", line)
        self.assertIn("data.micro_batch=", line)
        self.assertFalse(run.run.exists(), "before any work")


if __name__ == "__main__":
    support.main()
