"""Readers of the text in Debian packages: each takes a list of files and yields documents, lists of paragraphs."""
from readers.books import r_data, sword
from readers.dictionaries import dictionary, fortunes, wordnet
from readers.manuals import botocore, descriptions, html, manual, plain, pod

READERS = {reader.__name__: reader for reader in (
    r_data, sword, dictionary, fortunes, wordnet, botocore, descriptions, html, manual, plain, pod)}
