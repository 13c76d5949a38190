"""Builds a corpus of English text from Debian packages: one paragraph a line, a blank line between documents.

usage: build.py PROFILE FOLDER < SOURCES

A line of SOURCES holds a name, a reader (readers/), a package ("-": the package lists themselves) and a pattern of files
within it. Packages are downloaded and unpacked below FOLDER/work, never installed. A paragraph that was seen before, in
any source, is left out. FOLDER/PROFILE.txt appears only when it is complete, with its provenance beside it as PROFILE.json.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import readers

MIN_WORDS = 3


class Packages:
    """Debian packages, fetched with package lists of our own, so that the state of the machine's does not matter."""

    def __init__(self, folder):
        self.lists = folder / "lists"
        self.archives = folder / "packages"
        cache = folder / "cache"
        for path in (self.lists / "partial", cache / "archives" / "partial", self.archives):
            path.mkdir(parents=True, exist_ok=True)
        self.options = ["-qq", "-o", f"Dir::State::lists={self.lists}", "-o", f"Dir::Cache={cache}",
                        "-o", "APT::Sandbox::User=root", "-o", "Acquire::GzipIndexes=false"]

    def fetch(self, names, with_descriptions):
        """Downloads the packages that are not here yet; `with_descriptions` brings the lists' English descriptions too."""
        missing = [name for name in names if self.archive(name) is None]
        if not missing and (self.lists / "complete").exists():
            return
        languages = "en" if with_descriptions else "none"
        subprocess.run(["apt-get", *self.options, "-o", f"Acquire::Languages={languages}", "update"], check=True)
        if missing:
            with tempfile.TemporaryDirectory(dir=self.archives.parent) as incoming:
                subprocess.run(["apt-get", *self.options, "download", *missing], cwd=incoming, check=True)
                for file in pathlib.Path(incoming).iterdir():
                    file.rename(self.archives / file.name)
        (self.lists / "complete").touch()

    def archive(self, name):
        return next(self.archives.glob(f"{name}_*.deb"), None)

    def origin(self, name):
        """What a later reader needs to fetch the same text again."""
        if name == "-":
            return {path.name: digest_of(path) for path in sorted(self.lists.glob("*Translation-en"))}
        archive = self.archive(name)
        _, version, _ = archive.stem.split("_")
        return {"package": name, "version": version.replace("%3a", ":"), "sha256": digest_of(archive)}


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_source(source, packages, part):
    """Writes the documents of one source to `part`; returns (name, seconds)."""
    name, reader, package, pattern = source
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=part.parent) as scratch:
        folder = packages.lists
        if package != "-":
            subprocess.run(["dpkg", "-x", packages.archive(package), scratch], check=True)
            folder = pathlib.Path(scratch)
        files = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink())
        if not files:
            raise RuntimeError(f"{name}: package {package} holds no file {pattern}")
        draft = pathlib.Path(scratch) / "part.txt"
        with open(draft, "w", encoding="utf-8") as out:
            for document in readers.READERS[reader](files):
                for paragraph in document:
                    words = paragraph.split()
                    if len(words) >= MIN_WORDS:
                        out.write(" ".join(words) + "\n")
                out.write("\n")
        draft.rename(part)
    return name, time.monotonic() - start


def merge(parts, out):
    """Joins the parts without the paragraphs seen before; returns the counts of each, by name, and the number left out."""
    seen, counts, duplicates = set(), {}, 0
    for name, part in parts.items():
        words = documents = 0
        open_document = False
        for line in open(part, encoding="utf-8"):
            if line == "\n":
                if open_document:
                    out.write("\n")
                open_document = False
                continue
            key = hashlib.blake2b(line.encode(), digest_size=12).digest()
            if key in seen:
                duplicates += 1
                continue
            seen.add(key)
            documents += not open_document
            open_document = True
            words += len(line.split())
            out.write(line)
        counts[name] = {"words": words, "documents": documents}
    return counts, duplicates


def main(profile, folder, table):
    folder = pathlib.Path(folder).resolve()
    target = folder / f"{profile}.txt"
    provenance = folder / f"{profile}.json"
    if target.exists() and provenance.exists():
        print(f"{target} is already there")
        return
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    sources = [line.split() for line in table if line.strip() and not line.startswith("#")]
    packages = Packages(work)
    print(f"{profile}: fetching packages", flush=True)
    packages.fetch([package for _, _, package, _ in sources if package != "-"],
                   with_descriptions=any(package == "-" for _, _, package, _ in sources))

    parts = {name: work / f"{name}.txt" for name, *_ in sources}
    with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [pool.submit(read_source, source, packages, parts[source[0]])
                for source in sources if not parts[source[0]].exists()]
        for job in concurrent.futures.as_completed(jobs):
            print("{}: read {} in {:.1f} s".format(profile, *job.result()), flush=True)

    draft = work / f"{profile}.draft"  # a source may bear the name of the profile
    with open(draft, "w", encoding="utf-8") as out:
        counts, duplicates = merge(parts, out)
    record = {"profile": profile, "sha256": digest_of(draft), "bytes": draft.stat().st_size,
              "words": sum(count["words"] for count in counts.values()), "duplicate_paragraphs": duplicates,
              "sources": {name: {**counts[name], "reader": reader, "files": pattern, "origin": packages.origin(package)}
                          for name, reader, package, pattern in sources}}
    provenance.write_text(json.dumps(record, indent=1) + "\n")
    draft.rename(target)
    shutil.rmtree(work)
    print(f"{target}: {record['words']} words, {record['bytes']} bytes, {duplicates} duplicate paragraphs left out")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2], sys.stdin.readlines())
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
