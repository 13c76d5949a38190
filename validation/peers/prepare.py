"""`tenfold prepare`, all of it, against `spm_encode` (Debian's package sentencepiece), which only encodes: text a second and core.

Sample run:  /usr/bin/python3 validation/peers/prepare.py --text corpora/demo/demo.txt --corpus corpora/demo/demo.h5

Both use the tokenizer of the corpus on the same text. `spm_encode` runs alone on one core, `tenfold prepare` on one rank and on a
rank a core; they alternate. The ratio is that of bytes a second and core.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import h5py

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure


def seconds(command):
    start = time.monotonic()
    result = subprocess.run(command, cwd=measure.ROOT, env=measure.ENVIRONMENT, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nfailed with {result.returncode}\n{result.stderr}")
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenfold", default="build/release/tenfold", help="program; relative to the root of the tree")
    parser.add_argument("--text", required=True, type=pathlib.Path, help="plain text")
    parser.add_argument("--corpus", required=True, help="corpus file whose tokenizer is used")
    parser.add_argument("--megabytes", type=int, default=32, help="how much of the text")
    parser.add_argument("--repeats", type=int, default=3)
    o = parser.parse_args()
    cores = measure.available_cores()
    print("| ranks | spm_encode, MB/s | prepare, MB/s a core | ratio (median) | ratios |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        text, model, pieces, prepared = (f"{folder}/{name}" for name in ("text.txt", "tokenizer.model", "pieces.txt", "corpus.h5"))
        with open(o.text, "rb") as whole, open(text, "wb") as part:
            part.writelines(whole.readlines(o.megabytes * 10**6))
            megabytes = part.tell() / 1e6
        with h5py.File(o.corpus) as corpus, open(model, "wb") as file:
            file.write(corpus["tokenizer"][()].tobytes())
        encode = measure.on_cores(
            cores[:1], ["spm_encode", f"--model={model}", "--output_format=id", f"--input={text}", f"--output={pieces}"])
        prepare = [o.tenfold, "prepare", f"--corpus.text={text}", f"--tokenizer.model={model}", f"--corpus.file={prepared}"]
        for ranks in sorted({1, len(cores)}):
            pairs = [(megabytes / seconds(encode), megabytes / seconds(measure.on_cores(cores[:ranks], prepare)) / ranks)
                     for _ in range(o.repeats)]
            ratios = [ours / theirs for theirs, ours in pairs]
            theirs, ours = (statistics.median(rates) for rates in zip(*pairs))
            print(f"| {ranks} | {theirs:.2f} | {ours:.2f} | **{statistics.median(ratios):.2f}** | "
                  f"{', '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)
    print(f"\n{megabytes:.0f} MB of {o.text.name}; {measure.provenance(o.tenfold)}.")


if __name__ == "__main__":
    main()
