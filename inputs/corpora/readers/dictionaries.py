"""Dictionaries, glosses and quotations. A document is a run of neighbouring entries, so that related words stand together."""
import itertools
import re

from readers.text import is_prose, paragraphs, text_of

_PRONUNCIATION = re.compile(r"\\[^\\\n]*\\|\([^()]*\[[^()]*\)")
_ACCENT = re.compile(r"(?<=\w)\[\W?([a-z]{1,2})\W?\]")
_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_ATTRIBUTION = re.compile(r"--\s?[A-Z][^-]{0,40}$")


def _entries(text):
    """Entries of a dictd file: a headword at the left margin, its text indented."""
    return re.split(r"\n(?=\S)", text)


def _cleaned(paragraph):
    paragraph = _ACCENT.sub(r"\1", _PRONUNCIATION.sub("", paragraph))
    while (shorter := _BRACKETS.sub("", paragraph)) != paragraph:
        paragraph = shorter
    paragraph = re.sub(r"<[^<>]*>|[{}]", "", " ".join(paragraph.split()))
    paragraph = re.sub(r"\s+([,.;:])", r"\1", paragraph)
    return _ATTRIBUTION.sub("", paragraph).strip()


def dictionary(files):
    """dictd databases: pronunciations, etymologies and sources in brackets go, headword and definitions stay."""
    for file in files:
        entries = (entry for entry in _entries(text_of(file)) if entry[:1].isalpha())
        for _, group in itertools.groupby(entries, key=lambda entry: entry[:3].lower()):
            yield [_cleaned(paragraph) for entry in group for paragraph in paragraphs(entry)]


def wordnet(files):
    """WordNet data files (wndb(5WN)): a paragraph a synset, its words and its gloss; a document a lexicographer file."""
    for file in files:
        synsets = (line for line in file.read_text(encoding="latin-1").splitlines() if "|" in line and line[0] != " ")
        for _, group in itertools.groupby(synsets, key=lambda line: line.split(None, 2)[1]):
            yield [_synset(line) for line in group]


def _synset(line):
    fields, gloss = line.split("|", 1)
    fields = fields.split()
    words = fields[4:4 + 2 * int(fields[3], 16):2]
    names = ", ".join(re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in words)
    return f"{names}: {gloss.strip()}"


def fortunes(files):
    """Quotations parted by lines of a single %; the files with a suffix are indexes."""
    for file in files:
        if not file.suffix:
            yield filter(is_prose, re.split(r"\n%\n", text_of(file)))
