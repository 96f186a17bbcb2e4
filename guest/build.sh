#!/usr/bin/env bash
# Builds the default guest (kernel, initrd, BIOS) and the tiny test guest from Debian packages and
# the sources in this folder. The last line on stdout is the directory that holds the result;
# progress goes to stderr. See README.md for the variables.
#
# Neither root nor a changed system is needed: apt works in a private root of its own, and nothing
# is written outside the cache.
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C
umask 022

readonly suite=bookworm
readonly architecture=i386
# The last two leave out a self-test and a search for hardware that take a third of the time to boot.
readonly cmdline="console=ttyS0 quiet tsc=reliable mitigations=off nokaslr random.trust_cpu=on cryptomgr.notests noisapnp"

# Loaded before the personality is asked for. ext4 asks for its checksum by an alias, which only
# modprobe could follow, so crc32c_generic is named here.
readonly early_modules=(virtio_pci sd_mod crc32c_generic ext4)
# Loaded after it: what a driver reads while it probes (MAC address, disk) belongs to one VM and
# must not be in a snapshot that many VMs share.
readonly late_modules=(ata_piix virtio_net)

readonly space_needed_mib=800
readonly index_attempts=2

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache_dir=$(realpath -m "${LOCKSTEP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockstep}/guest")
readonly source_dir cache_dir
work=""

main() {
  local result
  result=$cache_dir/$(build_key)
  # guest.json is written last and the directory is renamed into place: if it is there, so is all.
  if [[ ! -f $result/guest.json ]]; then
    check_machine
    work=$(mktemp -d "$result.building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    remove_abandoned_builds
    build
    publish "$result"
  fi
  echo "$result"
}

# Everything that determines the result: these files, the suite and the architecture.
build_key() {
  {
    echo "$suite $architecture"
    cd "$source_dir"
    find . -type f ! -name '*.md' -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-16
}

build() {
  mkdir "$work/out" "$work/packages" "$work/files" "$work/bin"
  choose_binutils
  prepare_apt
  update_indexes
  fetch_packages
  extract_packages
  assemble
  copy_firmware_and_kernel
  progress "packing the initrd"
  write_initrd | gzip -9 -n >"$work/out/initrd.gz"
  write_description >"$work/out/guest.json"
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

# --- apt in a private root --------------------------------------------------------------------

prepare_apt() {
  local apt=$work/apt keyring
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/status"
  keyring=$(find_keyring)
  list_sources "$keyring" >"$apt/sources.list"
  write_apt_config "$apt" >"$apt/apt.conf"
}

# The machine's settings for reaching a mirror (proxies, certificates, timeouts) are kept; its hooks
# and preferences are not, because they are about its own packages. The settings at the end win.
write_apt_config() {
  local apt=$1
  apt-config dump | grep '^Acquire::' | grep -vE '^Acquire::(IndexTargets|Languages|Allow)' || true
  cat <<CONFIG
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; $host_architecture_setting };
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
APT::Get::Assume-Yes "true";
APT::Update::Error-Mode "any";
// The cache belongs to the caller alone, so apt's own download user could not write there.
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
CONFIG
}

private_apt() { APT_CONFIG=$work/apt/apt.conf "$@"; }

list_sources() {
  local keyring=$1 configured mirror security
  configured=$(configured_sources)
  mirror=${LOCKSTEP_DEBIAN_MIRROR:-$(debian_mirror <<<"$configured")}
  security=${LOCKSTEP_DEBIAN_SECURITY_MIRROR:-$(security_mirror <<<"$configured")}
  [[ -n $mirror ]] ||
    die "apt on this machine knows no Debian mirror; set LOCKSTEP_DEBIAN_MIRROR to the address of one."
  echo "deb [signed-by=$keyring] $mirror $suite main"
  echo "deb [signed-by=$keyring] $mirror $suite-updates main"
  if [[ -n $security ]]; then
    echo "deb [signed-by=$keyring] $security $suite-security main"
  fi
}

# Prints "address suite" for everything apt is configured to use. apt itself is asked, because it
# reads sources.list and *.sources better than a script could; it is only asked to print.
configured_sources() {
  local empty=$work/apt/unused
  mkdir -p "$empty/partial"
  apt-get update --print-uris -o Dir::State::lists="$empty" -o Dir::Cache="$empty" 2>/dev/null |
    sed -n "s|^'\(.*\)/dists/\([^']*\)/InRelease'.*|\1 \2|p"
}

readonly debian_suite='(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)'

# Third-party repositories use Debian's suite names too, but none of them has "-updates".
debian_mirror() {
  awk -v plain="^$debian_suite\$" -v updates="^$debian_suite-updates\$" '
    $2 ~ updates && !sure { sure = $1 }
    $2 ~ plain && !likely { likely = $1 }
    END { print sure ? sure : likely }'
}

security_mirror() {
  awk -v security="^$debian_suite(-security|/updates)\$" '$2 ~ security { print $1; exit }'
}

find_keyring() {
  local file
  for file in "${LOCKSTEP_DEBIAN_KEYRING:-}" /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [[ -n $file && -r $file ]]; then
      echo "$file"
      return
    fi
  done
  die "Debian's archive keys are missing; run: apt-get install -y debian-archive-keyring"
}

# An index that cannot be had (a mirror in the middle of an update, no "-updates" at that mirror) is
# no reason to fail as long as every wanted package is in one that can be verified.
update_indexes() {
  local attempt
  progress "reading the package indexes"
  for ((attempt = 1; attempt <= index_attempts; attempt++)); do
    ((attempt == 1)) || sleep 2
    if private_apt apt-get update -qq >"$work/update.log" 2>&1; then
      return
    fi
  done
  progress "some indexes are not usable, going on with the others: $(first_complaint "$work/update.log")"
}

first_complaint() { grep -m1 '^[EW]:' "$1" || echo "no reason given"; }

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

download() { (cd "$work/packages" && private_apt apt-get download -qq "$@" >"$work/download.log" 2>&1); }

die_download() { die "a package could not be fetched: $(first_complaint "$work/download.log")"; }

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

# --- programs ---------------------------------------------------------------------------------

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

# --- initrd -----------------------------------------------------------------------------------

# The archive is written here rather than by cpio: owners and times are then the same on every
# machine, a device node needs no root, and cpio need not be installed. The format is "newc", from
# the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
write_initrd() {
  local early late file directory
  early=$(module_files "${early_modules[@]}" | unique_lines)
  late=$(module_files "${early_modules[@]}" "${late_modules[@]}" | unique_lines | grep -vxF "$early")

  for directory in bin dev etc lib lib/modules mnt proc root sys tmp; do
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
  while read -r file; do
    archive_entry "lib/modules/${file##*/}" 100644 "$file"
  done <<<"$early"$'\n'"$late"
  file_names <<<"$early" >"$work/early"
  file_names <<<"$late" >"$work/late"
  archive_entry lib/modules/early 100644 "$work/early"
  archive_entry lib/modules/late 100644 "$work/late"
  archive_entry 'TRAILER!!!' 0
}

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

# --- result -----------------------------------------------------------------------------------

write_description() {
  local file separator=""
  cat <<JSON
{
  "name": "default",
  "kernel": "vmlinuz",
  "kernelVersion": "$kernel_version",
  "initrd": "initrd.gz",
  "cmdline": "$cmdline",
  "bios": "bios.bin",
  "vgaBios": "vgabios.bin",
  "sha256": {
JSON
  for file in bios.bin initrd.gz tiny.bin vgabios.bin vmlinuz; do
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
