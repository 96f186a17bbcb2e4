# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables
# Part of build.sh: apt in a private root, and packages by name.

readonly index_attempts=2

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

download() { (cd "$work/packages" && private_apt apt-get download -qq "$@" >"$work/download.log" 2>&1); }

die_download() { die "a package could not be fetched: $(first_complaint "$work/download.log")"; }
