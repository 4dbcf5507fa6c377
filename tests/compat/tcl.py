#!/usr/bin/python3
"""Runs the test suite that comes with Redis' source code against verso-server, as an external server.

    tests/run.sh tcl FOLDER [UNIT ...]

FOLDER is a source tree of Redis 7.2 (only its tests/ is used, and nothing in it is changed); UNIT is
a unit as its runner names them, such as unit/type/list (default: UNITS below). What is left out stands
in tcl_skips.txt, with reasons. Ends with "N passed, N failed"; the log is build/tcl/log.

The suite runs from a copy with one line removed: it empties the server by FLUSHALL and by FUNCTION
FLUSH, and there are no functions here to flush.
"""

import collections
import os
import random
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))

import resp  # noqa: E402

UNITS = [f"unit/type/{name}" for name in (
    "string", "incr", "list", "list-2", "list-3", "set", "zset", "hash", "stream", "stream-cgroups"
)] + [f"unit/{name}" for name in (
    "keyspace", "scan", "expire", "multi", "sort", "bitops", "bitfield", "hyperloglog", "geo", "dump")]
COPY = os.path.join(ROOT, "build/tcl")
FUNCTION_FLUSH = "    r function flush\n"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EVENT = re.compile(r"\[(ok|err|skip|ignore|exception|TIMEOUT)\]: ?(.*)")


def read_skips():
    """The names (or /patterns) and the tags that are left out; each stands under its reason."""
    names, tags, reason = [], [], False
    with open(os.path.join(HERE, "tcl_skips.txt"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                reason = line.startswith("#")
                continue
            kind, _, what = line.partition(" ")
            if not reason or not what or kind not in ("test", "tag"):
                sys.exit(f"tcl_skips.txt:{number}: expected 'test NAME' or 'tag TAG', under a reason")
            (names if kind == "test" else tags).append(what)
    return names, tags


def copy_suite(folder):
    if not os.path.isfile(os.path.join(folder, "tests/test_helper.tcl")):
        sys.exit(f"{folder}: no source tree of Redis (it has no tests/test_helper.tcl)")
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(os.path.join(folder, "tests"), os.path.join(COPY, "tests"))
    path = os.path.join(COPY, "tests/support/server.tcl")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(FUNCTION_FLUSH) != 1:
        sys.exit(f"{folder}: not the suite of Redis 7.2 (tests/support/server.tcl differs)")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(FUNCTION_FLUSH, ""))


def run_suite(port, units, names, tags):
    """Yields (event, text) as the suite reports them."""
    skip_file = os.path.join(COPY, "skips")
    with open(skip_file, "w", encoding="utf-8") as file:
        file.write("\n".join(names))
    command = ["tclsh", "tests/test_helper.tcl", "--host", "127.0.0.1", "--port", str(port),
               "--ignore-encoding", "--ignore-digest", "--durable", "--timeout", "300",
               # It looks for a free port among the 32 below; not the same for each of two runs.
               "--baseport", str(random.randrange(21000, 31000)),
               "--skipfile", skip_file, "--tags", " ".join("-" + tag for tag in tags)]
    for unit in units:
        command += ["--single", unit]
    with open(os.path.join(COPY, "log"), "w", encoding="utf-8") as log, subprocess.Popen(
            command, cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace") as suite:
        for line in suite.stdout:
            line = COLOUR.sub("", line)
            log.write(line)
            log.flush()
            if line.startswith("                   The End"):
                break  # what follows repeats the failures
            event = EVENT.match(line)
            if event:
                yield event.groups()
            elif re.match(r"Testing |\[\d+/\d+ done\]", line):
                print(line, end="", flush=True)
        for line in suite.stdout:
            log.write(line)


def left_out(what, skipped):
    if what.startswith("/"):
        return any(re.search(what[1:], name) for name in skipped)
    return what in skipped


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    units = sys.argv[2:] or UNITS
    names, tags = read_skips()
    copy_suite(sys.argv[1])
    counts, skipped = collections.Counter(), set()
    with resp.Server() as server:
        for event, text in run_suite(server.port, units, names, tags):
            counts[event] += 1
            if event == "skip":
                skipped.add(text)
            elif event == "ignore":
                skipped.update(tag for tag in tags if f"Tag: {tag} denied" in text)
            elif event != "ok":
                print(f"[{event}] {text}", flush=True)
        if server.process.poll() is not None:
            counts["err"] += 1
            print(f"the server ended with {server.process.returncode}:\n{server.log()}")
    unused = [what for what in names + tags if not left_out(what, skipped)] if units == UNITS else []
    for what in unused:
        print(f"tcl_skips.txt: nothing is left out by '{what}'")
    failed = counts["err"] + counts["exception"] + counts["TIMEOUT"] + len(unused)
    print(f"left out: {counts['skip']} by name, {counts['ignore']} by tag")
    print(f"log: {COPY}/log")
    print(f"{counts['ok']} passed, {failed} failed")
    sys.exit(0 if failed == 0 and counts["ok"] > 0 else 1)


if __name__ == "__main__":
    main()
