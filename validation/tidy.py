#!/usr/bin/python3
"""Lints the product with clang-tidy, a room at a time: most of the time goes into headers of libraries, and the files of a room share them.

usage: validation/tidy.py BUILD_FOLDER      with compile_commands.json; writes below BUILD_FOLDER/tidy

All files of a target are included into one and checked as one. Where that does not compile, because two files give a name of their
own to different things, they are checked one by one.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROOMS = ("io", "kernels", "src")
TIDY = "clang-tidy-16"


def targets(build):
    """Entries of the compilation database by the folder of their target's objects."""
    found = collections.defaultdict(list)
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in ROOMS:
            found[re.search(r"-o (\S+?\.dir)/", entry["command"])[1]].append(entry)
    return found


def lint(database, file, *options):
    done = subprocess.run([TIDY, "-p", database, "--quiet", *options, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def lint_together(folder, entries):
    """The findings in all of these files as one; None if they do not compile so."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "all.cpp"
    whole.write_text("".join(f'#include "{entry["file"]}"\n' for entry in entries))
    entry = {**entries[0], "file": str(whole), "command": entries[0]["command"].replace(entries[0]["file"], str(whole))}
    (folder / "compile_commands.json").write_text(json.dumps([entry]))
    # Of one file in another: what is included is no header, and names of one may lie under those of the other.
    code, said = lint(folder, whole, "--checks=-bugprone-suspicious-include", "--extra-arg=-Wno-shadow")
    compiles = code in (0, 1) and "clang-diagnostic-error" not in said  # other codes are of a crash, after such an error
    return (code, said) if compiles else None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    found = sorted(targets(build).items(), key=lambda target: -len(target[1]))  # the longest first
    failed = False
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        alone = []
        together = [pool.submit(lint_together, build / "tidy" / pathlib.Path(objects).stem, entries) for objects, entries in found]
        for (objects, entries), job in zip(found, together):
            if job.result() is None:
                print(f"{pathlib.Path(objects).stem}: file by file", flush=True)
                alone += [pool.submit(lint, build, entry["file"]) for entry in entries]
        for code, said in (job.result() for job in [job for job in together if job.result()] + alone):
            if code != 0:
                failed = True
                print(said, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
