#!/usr/bin/env bash
# Builds the image and uses it as a user would: keys, BGSAVE, a graceful stop and a kill on the same
# volume, passwords, a configuration file, a container without rights.
#
# With $DOCKER_CHECK, or ../shared/docker-check.sh beside the repository: that script builds and runs
# without a Docker engine. Else with docker. With neither: "skipped", exit status 0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool=${DOCKER_CHECK:-../shared/docker-check.sh}
if [ -x "$tool" ]; then
  engine() { "$tool" "$@"; }
elif docker info >/dev/null 2>&1; then
  # The same words for a real engine.
  engine() {
    local command=$1 options=()
    shift
    case $command in
      build) docker build -f docker/Dockerfile "$@" ;;
      run)
        local image=$1 run=(-d)
        shift
        while [ $# -gt 0 ] && [ "$1" != -- ]; do
          if [ "$1" = --fg ]; then run=(--rm); else options+=("$1"); fi
          shift
        done
        [ $# -eq 0 ] || shift
        docker run "${run[@]}" "${options[@]}" "$image" "$@"
        ;;
      wait)
        local tries
        for ((tries = 0; tries < $2 * 2; tries++)); do
          docker exec "$1" verso-healthcheck >/dev/null 2>&1 && return 0
          sleep 0.5
        done
        return 1
        ;;
      stop)
        docker stop -t "${2:-10}" "$1" >/dev/null
        [ "$(docker inspect -f '{{.State.ExitCode}}' "$1")" = 0 ]
        ;;
      rm) docker rm -f -v "$1" ;;
      size) docker image inspect -f '{{.Size}}' "$1" ;;
      volume-rm) docker volume rm -f "$1" ;;
      *) docker "$command" "$@" ;;
    esac
  }
else
  echo "skipped: neither $tool nor a running docker is there"
  exit 0
fi

image=verso:check
work=$(mktemp -d)
name=verso-check-$$
volume=$name-data
passed=0
failed=0

remove_volume() {
  if [ -x "$tool" ]; then "$tool" podman volume rm -f "$volume"; else engine volume-rm "$volume"; fi
}
cleanup() {
  engine rm "$name" >/dev/null 2>&1 || true
  remove_volume >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

# check WHAT COMMAND...: one line of result, the output only when it fails
check() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok - $what"
  else
    failed=$((failed + 1))
    echo "not ok - $what"
    tail -n 30 "$work/out" | sed 's/^/#   /'
    engine logs "$name" 2>&1 | tail -n 20 | sed 's/^/#   log: /' || true
  fi
}
fails() { ! "$@"; }
start() { engine run "$image" --name "$name" "$@" && engine wait "$name" 60; }
remove() { engine rm "$name"; }
cli() { engine exec "$name" verso-cli "$@"; }
# answers EXPECTED ARGS...: what verso-cli prints
answers() {
  local expected=$1 reply
  shift
  reply=$(cli "$@")
  echo "verso-cli $*: $reply"
  [ "$reply" = "$expected" ]
}
write_keys() {
  local key
  for key in 1 2 3 4 5 6 7 8 9; do cli set "key:$key" "value of $key" || return 1; done
  answers OK set answer "$1"
}
saved() {
  local before after tries
  before=$(cli lastsave)
  sleep 1.1    # LASTSAVE counts whole seconds
  cli bgsave || return 1
  for ((tries = 0; tries < 100; tries++)); do
    after=$(cli lastsave)
    [ "$after" = "$before" ] || return 0
    sleep 0.1
  done
  return 1
}
# shellcheck disable=SC2016  # these run in the container
server_uid() { engine exec "$name" sh -c 'for p in /proc/[0-9]*; do
    [ "$(cat $p/comm)" = verso-server ] && stat -c %u $p && break; done'; }
uid_is() { local uid; uid=$(server_uid); echo "uid $uid"; [ "$uid" = "$1" ]; }
# shellcheck disable=SC2016
has_no_rights() {
  engine exec "$name" sh -c 'for p in /proc/[0-9]*; do
    [ "$(cat $p/comm)" != verso-server ] || grep -q "^CapEff:.*0000000000000000" $p/status || exit 1; done'
}
root_is_read_only() { engine exec "$name" sh -c '! touch /usr/local/x 2>/dev/null && touch /data/x && rm /data/x'; }
over_the_port() {
  local reply
  exec 5<>"/dev/tcp/127.0.0.1/$port" || return 1
  printf 'GET answer\r\n' >&5
  read -r -t 10 reply <&5 && read -r -t 10 reply <&5
  exec 5>&-
  echo "reply: $reply"
  [ "${reply%$'\r'}" = "$1" ]
}

check 'the image builds' engine build . -t "$image"
[ "$failed" = 0 ] || { echo "0 passed, 1 failed"; exit 1; }
engine size "$image"
port=$((20000 + RANDOM % 10000))

check 'starts with a volume' start -p "127.0.0.1:$port:6379" -v "$volume:/data"
check 'runs as uid 999' uid_is 999
check 'without capabilities' has_no_rights
check 'takes writes' write_keys first
check 'answers on the published port' over_the_port first
check 'BGSAVE' saved
check 'a graceful stop ends with 0' engine stop "$name" 30
check 'starts again' engine start "$name"
check 'is healthy again' engine wait "$name" 60
check 'has its data' answers first get answer
check 'writes once more' answers OK set answer second
check 'SIGTERM saves' engine stop "$name" 30
check 'starts after that' engine start "$name"
check 'is healthy after that' engine wait "$name" 60
check 'has what SIGTERM saved' answers second get answer
check 'is killed' engine kill "$name"
check 'starts after a kill' engine start "$name"
check 'is healthy after a kill' engine wait "$name" 60
check 'has its data after a kill' answers second get answer
check 'is removed' remove
check 'a new container on the same volume' start -v "$volume:/data"
check 'has the data of the old one' answers second get answer
check 'is removed too' remove

check 'read-only, no capabilities, not root' start --read-only --cap-drop=all \
  --security-opt no-new-privileges --user 999:999 -v "$volume:/data"
check 'has the data' answers second get answer
check 'nothing but the volume can be written' root_is_read_only
check 'BGSAVE works there' saved
check 'stops gracefully' engine stop "$name" 30
remove >/dev/null 2>&1 || true

mkdir "$work/bind"
check 'a folder of root, all rights dropped' start --read-only --cap-drop=all -v "$work/bind:/data"
check 'takes writes there' write_keys third
check 'BGSAVE there' saved
remove >/dev/null 2>&1 || true
check 'a folder of root becomes the server'"'"'s' start -v "$work/bind:/data"
check 'with uid 999' uid_is 999
check 'and its data' answers third get answer
remove >/dev/null 2>&1 || true
mkdir "$work/foreign"
check 'a folder that cannot be written is refused' fails engine run "$image" --fg --user 999:999 \
  --network none -v "$work/foreign:/data"

printf 'p"a\\s s\n' >"$work/password"
chmod 644 "$work/password"
check 'a password from a file' start -v "$work/password:/run/secrets/password:ro" \
  -e VERSO_PASSWORD_FILE=/run/secrets/password
check 'is asked for' answers 'NOAUTH Authentication required.' get answer
check 'and is right' answers PONG -a 'p"a\s s' --no-auth-warning ping
check 'and stands on no command line' engine exec "$name" sh -c '! cat /proc/[0-9]*/cmdline | grep -q "[r]equirepass"'
remove >/dev/null 2>&1 || true

printf 'maxmemory 64mb\nport 7000\n' >"$work/verso.conf"
chmod 644 "$work/verso.conf"
check 'a configuration file and further directives' start -e VERSO_PORT=7000 \
  -e 'VERSO_ARGS=--maxmemory 32mb' -v "$work/verso.conf:/etc/verso.conf:ro" \
  -- /etc/verso.conf --databases 4
check 'both count, in this order' answers $'maxmemory\n33554432' -p 7000 config get maxmemory
check 'and the command line' answers $'databases\n4' -p 7000 config get databases
remove >/dev/null 2>&1 || true

check 'any other command' engine run "$image" --fg --network none -- verso-cli --version
check '--version' engine run "$image" --fg --network none -- --version
check 'nothing of the build in the image' engine run "$image" --fg --network none -- \
  sh -c '! command -v g++ && ! command -v cmake && ! [ -e /src ]'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
