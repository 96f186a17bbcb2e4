# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables
# Part of build.sh: the guest "servers" is the default guest with a second archive after the first in
# its initrd. The kernel unpacks one after the other, and files of the second take the place of
# those with the same name.

readonly server_packages=(dropbear-bin iperf3 redis-server redis-tools sqlite3)
# A dependency that only installing needs: its files are never read.
readonly not_packed='^(adduser|debconf|dpkg|init-system-helpers|libdb5.3|libdebconfclient0|libpam.*|lsb-base|passwd|perl-base|procps|sysvinit-utils|tar)$'

# Name in the guest's /bin, and the file in the packages.
readonly server_programs=(
  dropbear usr/sbin/dropbear
  dropbearkey usr/bin/dropbearkey
  iperf3 usr/bin/iperf3
  redis-cli usr/bin/redis-cli
  redis-server usr/bin/redis-server
  sqlite3 usr/bin/sqlite3
)
# Numbers one on a line, so that no two parts of the file are alike: 4 MiB.
readonly numbers_bytes=4194304

build_servers() {
  local base
  base=$("$source_dir/build.sh" default)
  kernel_version=$(sed -n 's/.*"kernelVersion": "\(.*\)".*/\1/p' "$base/guest.json")
  choose_binutils
  prepare_apt
  update_indexes
  fetch_servers
  progress "packing the servers"
  write_pages
  cp "$base"/{vmlinuz,bios.bin,vgabios.bin} "$work/out/"
  { cat "$base/initrd.gz" && write_servers_archive | gzip -9 -n; } >"$work/out/initrd.gz"
  write_description servers bios.bin initrd.gz vgabios.bin vmlinuz \
    >"$work/out/guest.json"
}

# apt is asked what it would install on a system that has nothing.
fetch_servers() {
  local wanted package
  progress "fetching the servers' packages"
  wanted=$(private_apt apt-get install --simulate "${server_packages[@]}" 2>"$work/download.log" |
    awk '$1 == "Inst" { print $2 }' | grep -vE "$not_packed") || die_download
  for package in $wanted "${binutils_packages[@]}"; do
    download "$package" || die_download
  done
  for package in "$work"/packages/*.deb; do
    dpkg-deb -x "$package" "$work/files"
  done
  rm -rf "$work/packages" "$work/apt"
}

# What the HTTP server shows.
write_pages() {
  mkdir "$work/pages"
  echo "This is the guest of a fault-tolerant VM." >"$work/pages/index.html"
  # seq is cut off in the middle, and must not complain about that.
  { seq 1 "$numbers_bytes" 2>/dev/null || true; } | head -c "$numbers_bytes" >"$work/pages/numbers.txt"
  (cd "$work/pages" && sha256sum numbers.txt >numbers.txt.sha256)
}

write_servers_archive() {
  local directory index file programs=()
  for directory in srv var var/log etc/dropbear; do
    archive_entry "$directory" 40755
  done
  for ((index = 0; index < ${#server_programs[@]}; index += 2)); do
    file=$work/files/${server_programs[index + 1]}
    archive_entry "bin/${server_programs[index]}" 100755 "$file"
    programs+=("$file")
  done
  collect_libraries "${programs[@]}"
  for file in "${libraries[@]}"; do
    archive_entry "lib/${file##*/}" 100755 "$file"
  done
  for file in "$source_dir"/servers/bin/*; do
    archive_entry "bin/${file##*/}" 100755 "$file"
  done
  for file in "$source_dir"/servers/etc/*; do
    archive_entry "etc/${file##*/}" 100644 "$file"
  done
  for file in "$work"/pages/*; do
    archive_entry "srv/${file##*/}" 100644 "$file"
  done
  archive_entry 'TRAILER!!!' 0
}

# Puts the shared libraries that the programs and their libraries need into `libraries`, each once.
collect_libraries() {
  local -A seen=()
  local waiting=("$@") file name
  libraries=()
  while ((${#waiting[@]} > 0)); do
    file=${waiting[0]}
    waiting=("${waiting[@]:1}")
    for name in $(binutils readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') ld-linux.so.2; do
      [[ -z ${seen[$name]:-} ]] || continue
      seen[$name]=yes
      file=$(find "$work"/files/{lib,usr/lib}/i386-linux-gnu -maxdepth 1 -name "$name" 2>/dev/null | head -n1)
      [[ -n $file ]] || die "no fetched package has the library $name."
      libraries+=("$file")
      waiting+=("$file")
    done
  done
}
