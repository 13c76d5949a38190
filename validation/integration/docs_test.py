"""The documents name nothing that is not there: links, paths, commands, keys, and which room sees which. Needs no program."""

import json
import pathlib
import re
import shlex
import unittest

from readme_test import ROOT, RUN_BY_THE_SUITE, commands_of

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "io/FORMATS.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = {".cpp", ".hpp", ".cu", ".py", ".sh", ".ini", ".cmake", ".md"}
FILES = SOURCES | {".h5", ".json", ".txt"}


def prose_of(document):
    """The text of a document without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors_of(document):
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", prose_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def paths_of(document):
    """What stands in backticks and is meant as a path: it begins at the top level, or is a source file by its name."""
    top = {entry.name for entry in ROOT.iterdir()} - {"build"}
    for word in re.findall(r"`([\w./-]+)`", prose_of(document)):
        path = pathlib.PurePosixPath(word)
        if ("/" in word and path.parts[0] in top) or (path.suffix in SOURCES and path.stem):
            yield word


def keys_of(document):
    """What stands in backticks and is meant as a key of the configuration."""
    sections = "|".join({key.split(".")[0] for key in keys()})
    words = re.findall(rf"`((?:{sections})\.\w+)\b[^`]*`", prose_of(document))
    return [word for word in words if pathlib.PurePath(word).suffix not in FILES]


def keys():
    return set(re.findall(r'^ +\{"(\w+\.\w+)",', (ROOT / "src/config/options.cpp").read_text(), re.MULTILINE))


def presets(kind):
    settings = json.loads((ROOT / "CMakePresets.json").read_text())
    return {preset["name"] for preset in settings[f"{kind}Presets"] if not preset.get("hidden")}


def labels():
    """All words given as a test's label, in CMake's files of the tests."""
    texts = [file.read_text() for file in (ROOT / "validation").rglob("CMakeLists.txt")]
    found = re.findall(r"LABELS \"?([\w;]+)|tenfold_integration_test\(\w+ (\w+)", "\n".join(texts))
    return set(";".join(map("".join, found)).split(";"))


def is_known(command):
    """Whether a command builds or tests by presets and labels that there are."""
    words = shlex.split(command)
    flags = dict(zip(words, words[1:]))
    kind = {"cmake": "build" if "--build" in words else "configure", "ctest": "test"}.get(words[0])
    if kind is None or flags.get("--preset") not in presets(kind):
        return False
    return "--label-regex" not in words or flags["--label-regex"] in labels()


def rooms():
    """Rooms by name, and the rooms that each links."""
    found = {}
    for file in [ROOT / "io/CMakeLists.txt", ROOT / "kernels/CMakeLists.txt", *(ROOT / "src").glob("*/CMakeLists.txt")]:
        for name, words in re.findall(r"tenfold_room\((\w+)(.*?)\)", file.read_text(), re.DOTALL):
            found[name] = set(re.findall(r"\btenfold_(\w+)", words))
    return found


class Documents(unittest.TestCase):
    def test_links_lead_somewhere(self):
        count = 0
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(document)):
                if target.startswith("https://"):
                    continue
                count += 1
                with self.subTest(document=document.name, link=target):
                    name, _, anchor = target.partition("#")
                    file = (document.parent / name) if name else document
                    self.assertTrue(file.exists(), "no such file")
                    if anchor:
                        self.assertIn(anchor, anchors_of(file))
        self.assertGreater(count, 60)

    def test_paths_are_there(self):
        count = 0
        for document in DOCUMENTS:
            for path in paths_of(document):
                count += 1
                with self.subTest(document=document.name, path=path):
                    self.assertTrue((ROOT / path).exists() or (document.parent / path).exists(), "no such file")
        self.assertGreater(count, 60)

    def test_keys_are_there(self):
        named = {key for document in DOCUMENTS for key in keys_of(document)}
        self.assertGreater(len(named), 30)
        self.assertEqual(named - keys(), set(), "not in src/config/options.cpp")

    def test_commands_are_run_or_known(self):
        run = set(commands_of((ROOT / "README.md").read_text())) | set(RUN_BY_THE_SUITE)
        for document in DOCUMENTS:
            blocks = re.findall(r"^```sh\n.*?^```$", document.read_text(), re.DOTALL | re.MULTILINE)
            for command in commands_of("\n".join(blocks)):
                with self.subTest(document=document.name, command=command):
                    self.assertTrue(command in run or is_known(command), "neither run by readme_test.py nor a preset's")

    def test_rooms_see_what_the_architecture_says(self):
        table = re.findall(r"^\| `(?:src/)?(\w+)/` \|.*\| ([\w, ]*)\|$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
        said = {room: set(re.findall(r"\w+", sees)) for room, sees in table}
        self.assertEqual(said.keys(), rooms().keys())
        for room, sees in rooms().items():
            with self.subTest(room=room):
                self.assertEqual(said[room], sees)

    def test_rooms_have_one_direction(self):
        below = rooms()
        while below:
            lowest = {room for room, sees in below.items() if not sees & below.keys()}
            self.assertTrue(lowest, f"these see each other in a circle: {below}")
            below = {room: sees for room, sees in below.items() if room not in lowest}


if __name__ == "__main__":
    unittest.main()
