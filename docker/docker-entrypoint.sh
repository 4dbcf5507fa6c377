#!/bin/bash
# Starts the server as users of the redis image expect:
#   (nothing)                    verso-server with the image's defaults
#   --directive value ...        the same, with these directives
#   /etc/verso.conf [--...]      with that configuration file
#   anything else                that command, untouched
# Environment: VERSO_PORT, VERSO_ARGS (further directives, split at spaces), VERSO_PASSWORD or
# VERSO_PASSWORD_FILE. Directives of the command line win over VERSO_ARGS, those over the file.
set -euo pipefail

fail() { echo "docker-entrypoint.sh: $*" >&2; exit 1; }

if [ $# -eq 0 ] || [[ $1 == -* || $1 == *.conf ]]; then
  set -- verso-server "$@"
fi
[ "$1" = verso-server ] || exec "$@"
case ${2-} in
  -h | --help | -v | --version | --check | --print-commands) exec "$@" ;;
esac

# What is written belongs to the server alone.
umask 0077

if [ -n "${VERSO_PASSWORD_FILE-}" ]; then
  [ -z "${VERSO_PASSWORD-}" ] || fail "VERSO_PASSWORD and VERSO_PASSWORD_FILE are both set"
  [ -r "$VERSO_PASSWORD_FILE" ] || fail "cannot read VERSO_PASSWORD_FILE=$VERSO_PASSWORD_FILE"
  VERSO_PASSWORD=$(<"$VERSO_PASSWORD_FILE")
  [ -n "$VERSO_PASSWORD" ] || fail "VERSO_PASSWORD_FILE=$VERSO_PASSWORD_FILE is empty"
  export VERSO_PASSWORD
  unset VERSO_PASSWORD_FILE
fi

# may BIT...: whether this process has these capabilities
may() {
  local mask bit
  mask=$((16#$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)))
  for bit in "$@"; do
    ((mask >> bit & 1)) || return 1
  done
}
readonly cap_chown=0 cap_setgid=6 cap_setuid=7

if [ "$(id -u)" = 0 ]; then
  if may $cap_setgid $cap_setuid; then
    ! may $cap_chown || find /data ! -user verso -exec chown verso '{}' + ||
      echo "docker-entrypoint.sh: not everything in /data could be given to user verso" >&2
    # Started anew as verso, so that all that follows is done with its rights only.
    exec setpriv --reuid=verso --regid=verso --init-groups --inh-caps=-all --no-new-privs \
      -- "$0" "$@"
  fi
  echo "docker-entrypoint.sh: no right to become user verso, staying root (--user 999:999 avoids it)" >&2
fi

shift
file=
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  file=$1
  shift
  [ -r "$file" ] || fail "cannot read $file as uid $(id -u)"
fi
read -ra extra <<<"${VERSO_ARGS-}"
set -- ${extra[@]+"${extra[@]}"} "$@"

# given NAME ARGS...: whether the user has set this directive
given() {
  local name=$1 argument
  shift
  for argument in "$@"; do
    [ "$argument" != "--$name" ] || return 0
  done
  [ -n "$file" ] && grep -qiE "^[[:space:]]*${name}[[:space:]]" "$file"
}

defaults=()
given port "$@" || defaults+=(--port "$VERSO_PORT")
# Reachable from outside the container; whoever publishes the port decides who may connect.
given bind "$@" || defaults+=(--bind '*' '-::*')
given protected-mode "$@" || defaults+=(--protected-mode no)
if ! given dir "$@"; then
  [ -w /data ] || fail "/data is not writable by uid $(id -u): change its owner, or start as root"
  defaults+=(--dir /data)
fi

if [ -n "${VERSO_PASSWORD-}" ]; then
  [ -z "$file" ] || fail "with a configuration file the password belongs there (requirepass)"
  given requirepass "$@" && fail "the password is given twice"
  # As a file that is none: on the command line everybody could read it.
  quoted=${VERSO_PASSWORD//\\/\\\\}
  quoted=${quoted//\"/\\\"}
  unset VERSO_PASSWORD
  exec verso-server /dev/fd/3 "${defaults[@]}" "$@" 3<<<"requirepass \"$quoted\""
fi
exec verso-server ${file:+"$file"} "${defaults[@]}" "$@"
