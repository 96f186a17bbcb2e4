#!/usr/bin/env bash
# Builds the guests: "default" (kernel, initrd, BIOS; with it the tiny test guest) or "servers" (the
# default guest with real servers) from Debian packages and the sources in this folder. The last
# line on stdout is the directory that holds the result; progress goes to stderr. See README.md for
# the variables.
#
# Neither root nor a changed system is needed: apt works in a private root of its own, and nothing
# is written outside the cache.
#
#   build.sh [default|servers]
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C
umask 022

readonly suite=bookworm
readonly architecture=i386
readonly space_needed_mib=800

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache_dir=$(realpath -m "${LOCKSTEP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockstep}/guest")
readonly source_dir cache_dir
work=""

# shellcheck source-path=SCRIPTDIR
source "$source_dir/build/apt.sh"
# shellcheck source-path=SCRIPTDIR
source "$source_dir/build/binutils.sh"
# shellcheck source-path=SCRIPTDIR
source "$source_dir/build/archive.sh"
# shellcheck source-path=SCRIPTDIR
source "$source_dir/build/default.sh"
# shellcheck source-path=SCRIPTDIR
source "$source_dir/build/servers.sh"

main() {
  local guest=${1:-default} result
  case $guest in
  default | servers) ;;
  *) die "there is no guest \"$guest\" to build; expected default or servers." ;;
  esac
  result=$cache_dir/$(build_key "$guest")
  # guest.json is written last and the directory is renamed into place: if it is there, so is all.
  if [[ ! -f $result/guest.json ]]; then
    check_machine
    work=$(mktemp -d "$result.building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    remove_abandoned_builds
    mkdir "$work/out" "$work/packages" "$work/files" "$work/bin"
    "build_$guest"
    publish "$result"
  fi
  echo "$result"
}

# Everything that determines the result: the guest's files, the suite and the architecture. What
# only the servers guest has is no reason to build the default guest anew.
build_key() {
  local servers_only=(-path './servers/*' -o -name servers.sh)
  {
    echo "$suite $architecture"
    cd "$source_dir"
    if [[ $1 == default ]]; then
      find . -type f ! -name '*.md' ! \( "${servers_only[@]}" \) -print0
    else
      find . -type f ! -name '*.md' -print0
    fi | sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-16
}

progress() { echo "guest: $*" >&2; }

die() {
  echo "guest: $*" >&2
  exit 1
}

# --- the machine that builds ------------------------------------------------------------------

check_machine() {
  local tool free_mib
  for tool in apt-get apt-cache apt-config dpkg dpkg-deb; do
    command -v "$tool" >/dev/null ||
      die "$tool is missing: the guest is built on Debian or Ubuntu (any release), or in a container of one."
  done
  for tool in tar gzip find sha256sum awk sed; do
    command -v "$tool" >/dev/null ||
      die "$tool is missing; run: apt-get install -y tar gzip findutils coreutils mawk sed"
  done
  mkdir -p "$cache_dir" || die "cannot write to $cache_dir; set LOCKSTEP_CACHE to a directory that you own."
  free_mib=$(df -Pm "$cache_dir" | awk 'NR == 2 { print $4 }')
  ((free_mib >= space_needed_mib)) ||
    die "building needs $space_needed_mib MiB in $cache_dir, $free_mib MiB are free: make room or set LOCKSTEP_CACHE."
}

# A build that was killed leaves its directory; no build takes hours.
remove_abandoned_builds() {
  find "$cache_dir" -mindepth 1 -maxdepth 1 -name '*.building.*' -mmin +240 -exec rm -rf {} +
}

# --- result -----------------------------------------------------------------------------------

# write_description NAME FILE...
write_description() {
  local name=$1 file separator=""
  shift
  cat <<JSON
{
  "name": "$name",
  "kernel": "vmlinuz",
  "kernelVersion": "$kernel_version",
  "initrd": "initrd.gz",
  "cmdline": "$cmdline",
  "bios": "bios.bin",
  "vgaBios": "vgabios.bin",
  "sha256": {
JSON
  for file in "$@"; do
    printf '%s    "%s": "%s"' "$separator" "$file" "$(sha256sum <"$work/out/$file" | cut -d' ' -f1)"
    separator=$',\n'
  done
  printf '\n  }\n}\n'
}

# The rename is the moment at which the guest exists. If another build was faster, its result stands.
publish() {
  local result=$1
  chmod 755 "$work/out"
  mv -T "$work/out" "$result" 2>/dev/null || [[ -f $result/guest.json ]] ||
    die "cannot move the result to $result."
  progress "built $result"
}

main "$@"
