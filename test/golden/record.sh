#!/usr/bin/env bash
# Records the golden log of the present format version. Its guest is a copy of the tiny guest's
# program (guest/tiny/tiny.S), kept beside it so that the log does not depend on a compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^export const logFormatVersion = \([0-9]*\);/\1/p' src/vm-runner/logging-channel/codec.ts)
golden=test/golden/v$version
console=$golden/tiny.console
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Waits until the guest has printed the text, then types the keys.
after() {
  until grep -q "$1" "$console"; do sleep 0.1; done
  printf '%s' "$2" >&3
}

mkfifo "$work/keys"
: >"$console"
${LOCKSTEP:-bin/lockstep} record --guest "$golden/guest" --memory 16 --log "$golden/tiny.log" \
  --for 60s <"$work/keys" >"$console" &
exec 3>"$work/keys"
after 'tick 5' $'golden\nb'
after 'tick 15' $'b'
after 'tick 20' $'log\nb'
after 'tick 25' $'q'
wait $!
