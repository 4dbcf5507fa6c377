#!/usr/bin/env bash
# Real data from end to end: this machine's own Debian package index, every field of every package
# one key, is loaded with `verso-cli --pipe`; then three connections overwrite it at full speed while
# BGSAVE runs; the server is killed with -9 once the save has committed, started again, and its data
# compared with the snapshot. Prints what it cost, then PASS or FAIL; the exit status says the same.
#
# Builds first; with VERSO_SERVER and VERSO_CLI set to binaries, these are used as they are. Needs no
# root. About 1 GB of space in $TMPDIR, which it removes again.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -z "${VERSO_SERVER-}" ] || [ -z "${VERSO_CLI-}" ]; then
  "$root/server/run.sh" --build-only
  export VERSO_SERVER=$root/build/release/bin/verso-server VERSO_CLI=$root/build/release/bin/verso-cli
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
DEMO_LOAD=$scratch/load
cc -O2 -o "$DEMO_LOAD" "$root/tests/bench/load.c"
export DEMO_LOAD
/usr/bin/python3 "$root/tests/demo/demo.py"
