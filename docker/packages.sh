#!/usr/bin/env bash
# packages.sh list SECTION...      the packages of these sections of packages.txt
# packages.sh install SECTION...   install those that are missing; with none missing nothing is
#                                  asked of the network
set -euo pipefail
file=$(dirname "${BASH_SOURCE[0]}")/packages.txt

list() {
  local section
  for section in "$@"; do
    grep -q "^\[$section\]" "$file" || { echo "packages.sh: no section [$section]" >&2; exit 2; }
    awk -v wanted="[$section]" '
      { sub(/#.*/, "") }
      /^\[/ { inside = ($1 == wanted); next }
      inside && NF { print $1 }' "$file"
  done
}

install_missing() {
  local package missing=() as_root=()
  for package in $(list "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "packages.sh: needs root or sudo to install" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

case ${1:-} in
  list) shift; list "$@" ;;
  install) shift; install_missing "$@" ;;
  *) sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
