"""The machine's own Debian package index as key-value pairs, and these as a RESP stream.

Every field of every stanza is a pair: pkg:<package>:<field>, values from 1 byte to many kilobytes
(descriptions, dependency lists, checksums). A package with several versions keeps the last one read.
"""

import glob
import os
import random
import subprocess

LISTS = "/var/lib/apt/lists"
CAT_FILE = "/usr/lib/apt/apt-helper"  # reads lists in whatever compression apt keeps them
WRITE_BYTES = 1 << 20


def index_text():
    """All Packages files as one text; the packages apt knows otherwise (installed ones) if none."""
    paths = sorted(path for path in glob.glob(f"{LISTS}/*_Packages*") if os.path.getsize(path))
    if paths and os.path.exists(CAT_FILE):
        return subprocess.run([CAT_FILE, "cat-file", *paths], check=True, stdout=subprocess.PIPE).stdout
    return subprocess.run(["apt-cache", "dumpavail"], check=True, stdout=subprocess.PIPE).stdout


def pairs_of(text):
    """The dict of all pairs."""
    pairs = {}
    for stanza in text.split(b"\n\n"):
        # Lines that continue a field begin with a space.
        fields = []
        for line in stanza.split(b"\n"):
            if line[:1] == b" " and fields:
                fields[-1][1] += b"\n" + line
            elif b":" in line:
                name, value = line.split(b":", 1)
                fields.append([name, value.lstrip()])
        package = next((value for name, value in fields if name == b"Package"), None)
        if package is not None:
            for name, value in fields:
                pairs[b"pkg:%s:%s" % (package, name)] = value
    return pairs


def write_stream(path, items):
    """SET commands, ready for `verso-cli --pipe`."""
    with open(path, "wb", buffering=WRITE_BYTES) as out:
        for key, value in items:
            out.write(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value))


def write_overwrites(paths, pairs, seed):
    """The same keys in random order with other values, many of another length, one part per path."""
    keys = list(pairs)
    random.Random(seed).shuffle(keys)
    for part, path in enumerate(paths):
        write_stream(path, ((key, pairs[key][::-1] + b"#" * (len(key) % 7))
                            for key in keys[part::len(paths)]))
