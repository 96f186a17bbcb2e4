# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables
# Part of build.sh: the assembler, linker and ELF reader for i386.

# The machine's own assembler and linker where they know i386, else Debian's cross binutils, which
# are taken from packages like everything else and used where they are extracted.
choose_binutils() {
  local prefix
  binutils_packages=()
  host_architecture_setting=""
  binutils_prefix=""
  for prefix in "" i686-linux-gnu-; do
    if echo nop | "${prefix}as" --32 -o "$work/probe.o" - 2>/dev/null &&
      "${prefix}ld" -m elf_i386 -o "$work/probe" "$work/probe.o" 2>/dev/null; then
      binutils_prefix=$prefix
      return
    fi
  done
  local host
  host=$(dpkg --print-architecture)
  host_architecture_setting="\"$host\";"
  binutils_packages=("binutils-i686-linux-gnu:$host" "libbinutils:$host" "libjansson4:$host")
  binutils_prefix=$work/files/usr/bin/i686-linux-gnu-
}

binutils() {
  local tool=$1 libraries
  shift
  if ((${#binutils_packages[@]} == 0)); then
    "$binutils_prefix$tool" "$@"
    return
  fi
  libraries=$(dirname "$(find "$work/files/usr/lib" -name 'libjansson.so.*' | head -n1)")
  LD_LIBRARY_PATH=$libraries "$binutils_prefix$tool" "$@"
}
