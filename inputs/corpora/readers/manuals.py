"""Manuals and descriptions of software; only what reads as running English is kept."""
import json
import re

from readers.text import is_prose, markup_blocks, paragraphs, text_of


def html(files):
    """HTML pages, a document a page."""
    for file in files:
        yield filter(is_prose, markup_blocks(text_of(file)))


def plain(files):
    """Plain text; the marks of Vim's help (*tag*, |link|) are taken off."""
    for file in files:
        yield filter(is_prose, (re.sub(r"\*(\S+)\*|\|(\S+)\|", r"\1\2", text) for text in paragraphs(text_of(file))))


def pod(files):
    """Perl's Plain Old Documentation: ordinary paragraphs, with formatting codes such as B<...> resolved."""
    for file in files:
        yield filter(is_prose, map(_without_codes, (text for text in paragraphs(text_of(file)) if text[:1].isalpha())))


def _without_codes(text):
    text = re.sub(r"[A-Z]<<+\s(.*?)\s>>+", r"\1", text, flags=re.DOTALL)
    while (shorter := re.sub(r"[BCFILSX]<(?:[^<>|]*\|)?([^<>]*)>", r"\1", text)) != text:
        text = shorter
    return re.sub(r"[EZ]<\w*>", "", text)


_FONT_REQUEST = re.compile(r"\.(?:B|I|BI|BR|IB|IR|RB|RI|SB|SM)\s+(.*)")
_ESCAPES = ((re.compile(r"\\f(?:\[\w*\]|\(..|.)|\\s[-+]?\d|\\[&/%|^,:c]"), ""), (re.compile(r"\\\(aq|\\\*\(Aq"), "'"),
            (re.compile(r"\\\((?:lq|rq)|\\\*q"), '"'), (re.compile(r"\\\((?:em|en)|\\-"), "-"), (re.compile(r"\\[e~ ]"), " "))


def manual(files):
    """Manual pages (man(7)): lines of text and font requests joined to paragraphs; displays and tables are skipped."""
    for file in files:
        yield filter(is_prose, _man_paragraphs(text_of(file)))


def _man_paragraphs(text):
    lines, in_display = [], False
    for line in text.splitlines() + [".PP"]:
        if re.match(r"\.(?:nf|EX|TS)\b", line):
            in_display = True
        font = _FONT_REQUEST.match(line)
        if font:
            # Alternating fonts join their words; a trailing reference such as "open (2)" reads as open(2).
            line = re.sub(r"\s+(?=[(.,;:)])", "", font.group(1).replace('"', ""))
        elif not line.strip() or line[0] in ".'":
            for pattern, replacement in _ESCAPES:
                lines = [pattern.sub(replacement, piece) for piece in lines]
            yield " ".join(lines)
            lines = []
            in_display = in_display and not re.match(r"\.(?:fi|EE|TE)\b", line)
            continue
        if not in_display:
            lines.append(line)


def botocore(files):
    """Service descriptions in JSON, whose "documentation" strings are HTML; a document a service."""
    for file in files:
        yield filter(is_prose, (block for text in _documentation(json.loads(text_of(file))) for block in markup_blocks(text)))


def _documentation(node):
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and isinstance(node.get("documentation"), str):
        yield node["documentation"]
    for child in children:
        yield from _documentation(child)


def descriptions(files):
    """Package descriptions of a Translation-en list: indented lines, " ." between paragraphs, deeper ones verbatim or lists;
    a document a package."""
    for file in files:
        for stanza in text_of(file).split("\n\n"):
            _, _, body = stanza.partition("\nDescription-en: ")
            lines = [line[1:] for line in body.splitlines()[1:] if line.startswith(" ")]
            text = "\n".join("" if line == "." else line for line in lines if not line.startswith(" "))
            yield filter(is_prose, paragraphs(text))
