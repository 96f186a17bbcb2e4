# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables
# Part of build.sh: the default guest (kernel, initrd, BIOS) and the tiny test guest.

# The last two leave out a self-test and a search for hardware that take a third of the time to boot.
readonly cmdline="console=ttyS0 quiet tsc=reliable mitigations=off nokaslr random.trust_cpu=on cryptomgr.notests noisapnp"

# Loaded before the personality is asked for. ext4 asks for its checksum by an alias, which only
# modprobe could follow, so crc32c_generic is named here.
readonly early_modules=(virtio_pci sd_mod crc32c_generic ext4)
# Loaded after it: what a driver reads while it probes (MAC address, disk) belongs to one VM and
# must not be in a snapshot that many VMs share.
readonly late_modules=(ata_piix virtio_net)

build_default() {
  choose_binutils
  prepare_apt
  update_indexes
  fetch_packages
  extract_packages
  assemble
  copy_firmware_and_kernel
  progress "packing the initrd"
  write_initrd | gzip -9 -n >"$work/out/initrd.gz"
  write_description default bios.bin initrd.gz tiny.bin vgabios.bin vmlinuz \
    >"$work/out/guest.json"
}

fetch_packages() {
  local image tool
  # The meta package names the current kernel.
  image=$(private_apt apt-cache show --no-all-versions linux-image-686 2>/dev/null |
    sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n1) || true
  [[ -n $image ]] || die "the Debian mirror offers no verified kernel: $(first_complaint "$work/update.log")"
  kernel_version=${image#linux-image-}
  progress "fetching packages, kernel $kernel_version"
  # Signed or not is about secure boot and makes no difference here; mirrors may lack one of them.
  download "$image:$architecture" || download "$image-unsigned:$architecture" || die_download
  download "busybox-static:$architecture" seabios || die_download
  for tool in "${binutils_packages[@]}"; do
    download "$tool" || die_download
  done
}

extract_packages() {
  local package
  progress "extracting packages"
  for package in "$work"/packages/*.deb; do
    case ${package##*/} in
    # The headers and manuals of the kernel are not needed, and the package is big.
    linux-image-*) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/files" ./boot ./lib/modules ;;
    *) dpkg-deb -x "$package" "$work/files" ;;
    esac
  done
  rm -rf "$work/packages" "$work/apt"
}

assemble() {
  local source name
  binutils as --version >/dev/null 2>&1 ||
    die "no assembler for i386; run: apt-get install -y binutils-i686-linux-gnu"
  for source in "$source_dir"/src/*.s; do
    name=$(basename "$source" .s)
    binutils as --32 -o "$work/$name.o" "$source"
    binutils ld -m elf_i386 -s -z noexecstack -e start -o "$work/bin/$name" "$work/$name.o"
  done
  # A flat image: what is in the file is what is in memory from 1 MiB on.
  binutils as --32 -o "$work/tiny.o" "$source_dir/tiny/tiny.S"
  binutils ld -m elf_i386 -N -Ttext=0x100000 -e start --oformat binary -o "$work/tiny.bin" "$work/tiny.o"
  install -m 644 "$work/tiny.bin" "$work/out/tiny.bin"
}

copy_firmware_and_kernel() {
  cp "$work/files/usr/share/seabios/bios.bin" "$work/out/bios.bin"
  cp "$work/files/usr/share/seabios/vgabios-stdvga.bin" "$work/out/vgabios.bin"
  cp "$work/files/boot/vmlinuz-$kernel_version" "$work/out/vmlinuz"
}

# --- kernel modules ---------------------------------------------------------------------------

# Prints the files of the named modules, each after those it depends on. A module carries the names
# of its dependencies in a section of "key=value" strings, so neither depmod nor modprobe is needed.
module_files() {
  local name file dependencies
  for name in "$@"; do
    # The name of a file may have "-" where the name of its module has "_".
    file=$(find "$work/files/lib/modules/$kernel_version" -name "${name//[-_]/[-_]}.ko" | head -n1)
    [[ -n $file ]] || die "kernel $kernel_version has no module $name."
    dependencies=$(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' ')
    # shellcheck disable=SC2086 # a list of words
    module_files $dependencies
    echo "$file"
  done
}

unique_lines() { awk '!seen[$0]++'; }

file_names() { sed 's|.*/||'; }

# --- initrd ---

write_initrd() {
  local early late file directory
  early=$(module_files "${early_modules[@]}" | unique_lines)
  late=$(module_files "${early_modules[@]}" "${late_modules[@]}" | unique_lines | grep -vxF "$early")

  for directory in bin dev etc lib lib/modules mnt proc root srv srv/cgi-bin sys tmp; do
    archive_entry "$directory" 40755
  done
  archive_entry dev/console 20600 "" 5 1
  archive_entry init 100755 "$source_dir/init"
  archive_entry bin/busybox 100755 "$work/files/bin/busybox"
  for file in "$work"/bin/* "$source_dir"/bin/*; do
    archive_entry "bin/${file##*/}" 100755 "$file"
  done
  for file in "$source_dir"/etc/*; do
    archive_entry "etc/${file##*/}" 100644 "$file"
  done
  for file in "$source_dir"/srv/cgi-bin/*; do
    archive_entry "srv/cgi-bin/${file##*/}" 100755 "$file"
  done
  while read -r file; do
    archive_entry "lib/modules/${file##*/}" 100644 "$file"
  done <<<"$early"$'\n'"$late"
  file_names <<<"$early" >"$work/early"
  file_names <<<"$late" >"$work/late"
  archive_entry lib/modules/early 100644 "$work/early"
  archive_entry lib/modules/late 100644 "$work/late"
  archive_entry 'TRAILER!!!' 0
}
