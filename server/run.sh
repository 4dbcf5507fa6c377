#!/usr/bin/env bash
# From a fresh Debian 12 machine to a running server:
#   server/run.sh [--directive value ...]   port 6379, data in ./data of the calling folder
#   server/run.sh FILE [--directive ...]    everything as the configuration file says
#   server/run.sh --build-only              build verso-server and verso-cli, start nothing
# Arguments go on to the server; later ones win, so `server/run.sh --port 7000` works.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release

"$root/docker/packages.sh" install build
configure=(cmake --log-level=WARNING -S "$root" -B "$build" -G Ninja)
# The first configuration leaves out the tests, whose packages may be missing.
[ -f "$build/CMakeCache.txt" ] || configure+=(-DVERSO_TESTS=OFF)
"${configure[@]}" >/dev/null
ninja -C "$build" verso-server verso-cli

case ${1:-} in
  --build-only) exit 0 ;;
  '' | -*)
    mkdir -p "$PWD/data"
    exec "$build/bin/verso-server" --dir "$PWD/data" --port 6379 "$@"
    ;;
  *) exec "$build/bin/verso-server" "$@" ;;
esac
