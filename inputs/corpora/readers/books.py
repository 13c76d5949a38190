"""Books: data sets of R packages and modules of the SWORD project."""
import struct
import zlib

from readers.text import decoded, markup_blocks

# Type codes of R's serialization format (R Internals, section 1.8).
_CHARACTER_VECTOR, _STRING = 16, 9


def _r_strings(data):
    """The character vector that `data`, R's XDR serialization of version 3, holds as its only object."""
    kind, version = data[:2], struct.unpack_from(">i", data, 2)[0]
    if kind != b"X\n" or version != 3:
        raise RuntimeError("R data of an unknown serialization format")
    encoding_length = struct.unpack_from(">i", data, 14)[0]
    position = 18 + encoding_length
    flags, count = struct.unpack_from(">ii", data, position)
    if flags & 0xFF != _CHARACTER_VECTOR:
        raise RuntimeError("R data that is not a character vector")
    position += 8
    for _ in range(count):
        flags, length = struct.unpack_from(">ii", data, position)
        if flags & 0xFF != _STRING:
            raise RuntimeError("R character vector with an element that is no string")
        position += 8
        yield decoded(data[position:position + length]) if length > 0 else ""
        position += max(length, 0)


def r_data(files):
    """Novels in a lazy-load database (.rdb): objects one after another, each its length (4 bytes) and a zlib stream; an
    object is one book, a vector of lines with empty lines between the paragraphs."""
    for file in files:
        data = file.read_bytes()
        while data:
            stream = zlib.decompressobj()
            lines = _r_strings(stream.decompress(data[4:]))
            data = stream.unused_data
            yield "\n".join(lines).split("\n\n")


def sword(files):
    """Modules of type zText and zCom: an index (.?zs) of records offset, size, uncompressed size, and beside it (.?zz) the
    zlib streams, each one book or chapter in OSIS markup."""
    for index in files:
        data = index.with_name(index.name[:-1] + "z").read_bytes()
        for offset, size, _ in struct.iter_unpack("<III", index.read_bytes()):
            yield markup_blocks(decoded(zlib.decompress(data[offset:offset + size])))
