# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables
# Part of build.sh: an initrd is an archive, written here rather than by cpio: owners and times are
# then the same on every machine, a device node needs no root, and cpio need not be installed. The
# format is "newc", from the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.

inode=0

# archive_entry NAME OCTAL-MODE [FILE [DEVICE-MAJOR DEVICE-MINOR]]
archive_entry() {
  local name=$1 mode=$2 file=${3:-} major=${4:-0} minor=${5:-0} size=0
  [[ -z $file ]] || size=$(stat -L -c %s "$file")
  inode=$((inode + 1))
  # inode mode uid gid links mtime size, device of the file, device of a node, name size, checksum
  printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
    "$inode" "$((8#$mode))" 0 0 1 0 "$size" 0 0 "$major" "$minor" "$((${#name} + 1))" 0 "$name"
  pad_to_four $((110 + ${#name} + 1))
  if [[ -n $file ]]; then
    cat "$file"
    pad_to_four "$size"
  fi
}

pad_to_four() { head -c $(((4 - $1 % 4) % 4)) /dev/zero; }
