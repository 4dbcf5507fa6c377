#!/usr/bin/python3
"""Registers the test cases of a Catch2 program with ctest, one entry each.

    discover_tests.py PROGRAM LABEL SECONDS_MAX SLOW_SECONDS_MAX OUTPUT.cmake

Catch2's own CMake script cuts names at semicolons and then runs nothing for the pieces; names here
are sentences. Test cases tagged [slow] get the label "slow" instead of LABEL.
"""

import re
import subprocess
import sys


def names(program, *spec):
    """Names in the order of the program; the exit status is their number, no sign of success."""
    listed = subprocess.run([program, *spec, "--list-test-names-only"], capture_output=True, text=True)
    if listed.stderr:
        sys.exit(f"{program}: {listed.stderr}")
    return [line for line in listed.stdout.split("\n") if line]


def main(program, label, seconds_max, slow_seconds_max, output):
    every = names(program)
    slow = set(names(program, "[slow]"))
    if not every:
        sys.exit(f"{program} has no test cases")
    with open(output, "w", encoding="utf-8") as out:
        for name in every:
            # What the filter on the command line would read as its own syntax.
            wanted = re.sub(r'([\\,\[\]"*~])', r"\\\1", name)
            entry = f"[==[{label}: {name}]==]"
            # A name that the filter does not find must fail, not pass with no test run.
            out.write(f"add_test({entry} [==[{program}]==] [==[{wanted}]==] --warn NoTests)\n")
            out.write(f"set_tests_properties({entry} PROPERTIES"
                      f" LABELS {'slow' if name in slow else label}"
                      f" TIMEOUT {slow_seconds_max if name in slow else seconds_max})\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
