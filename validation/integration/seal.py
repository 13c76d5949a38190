"""The seal of a checkpoint, from io/FORMATS.md alone: so that a test can make a checkpoint of its own."""

import ctypes
import ctypes.util
import struct

SEAL = 512
LEAF = 1 << 20


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash"))
xxhash.XXH3_128bits.restype = Hash128
xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def digest(data):
    value = xxhash.XXH3_128bits(data, len(data))
    return struct.pack(">QQ", value.high, value.low)


def seal_of(content):
    """The first 512 bytes of a checkpoint of schema version 1 whose other bytes are these."""
    head = b"TENFOLD\n" + struct.pack("<IIQ", 1, LEAF, SEAL + len(content))
    leaves = (content[begin:begin + LEAF] for begin in range(0, len(content), LEAF))
    return (head + digest(head + b"".join(map(digest, leaves)))).ljust(SEAL, b"\0")


def reseal(path):
    content = path.read_bytes()[SEAL:]
    with open(path, "r+b") as file:
        file.write(seal_of(content))
