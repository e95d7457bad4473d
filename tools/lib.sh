# Shared by ./run, ./test and tools/: messages, packages, presets. Sourced by bash; sets no options.
# Everything a person sees goes to standard error, so that standard output stays the program's.

say() { printf '%s\n' "mainstay: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo -- "$@"
  else
    sudo -n -- "$@"
  fi
}

# Free space in MiB of the file system that holds $1.
free_mib() { df -Pm -- "$1" 2>/dev/null | awk 'NR==2 {print $4}'; }

need_space() {  # need_space FOLDER MIB WHAT-FOR
  local free
  free=$(free_mib "$1")
  if [ -n "$free" ] && [ "$free" -lt "$2" ]; then
    die "disk full: $3 needs $2 MiB on the disk of $1, $free MiB are free"
  fi
}

# Prints the packages of a list that are not installed.
missing_packages() {
  local name mark command wanted=()
  while read -r name mark command; do
    case $name in '' | '#'*) continue ;; esac
    if [ "$mark" = '?' ] && command -v "$command" >/dev/null 2>&1; then continue; fi
    wanted+=("$name")
  done <"$1"
  [ ${#wanted[@]} -gt 0 ] || return 0
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
    sed -n 's/^installed //p') || true
  for name in "${wanted[@]}"; do
    case "
$installed
" in *"
$name
"*) ;; *) printf '%s\n' "$name" ;; esac
  done
}

# Installs what is missing of the list files given; quick when nothing is.
need_packages() {
  local list missing=() log
  command -v dpkg-query >/dev/null 2>&1 ||
    die "this is not Debian: Mainstay installs its packages with apt on Debian 12 (see README.md)"
  for list in "$@"; do
    while read -r name; do missing+=("$name"); done < <(missing_packages "$list")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null 2>&1 || die "apt-get is missing; install by hand: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 ||
      die "no root and no sudo; as root: apt-get install ${missing[*]}"
    [ -t 0 ] || sudo -n true 2>/dev/null ||
      die "sudo asks for a password and there is no terminal; as root: apt-get install ${missing[*]}"
  fi
  need_space /usr 2000 "installing the packages"
  log=$(log_file packages)
  say "installing ${#missing[@]} Debian packages (log: $log): ${missing[*]}"
  as_root apt-get -q -o DPkg::Lock::Timeout=120 update >"$log" 2>&1 || true
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 install "${missing[@]}" >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    explain_apt "$log"
  fi
}

explain_apt() {
  if grep -qiE 'could not resolve|temporary failure|connection (failed|timed out|refused)|unable to connect|network is unreachable' "$1"; then
    die "no network: apt cannot reach the Debian mirrors (log: $1)"
  elif grep -qiE 'no space left|not enough free' "$1"; then
    die "disk full: apt has no room for the packages (log: $1)"
  elif grep -qiE 'unable to locate package|no installation candidate' "$1"; then
    die "apt knows not all packages: Debian 12 with its updates is needed (log: $1)"
  fi
  die "apt-get install failed (log: $1)"
}

log_file() {
  mkdir -p "$root/build/log" 2>/dev/null || die "cannot write to $root/build"
  printf '%s\n' "$root/build/log/$1.log"
}

# Compilers at once: one for each core, and 1.5 GiB of memory for each (cgroup limit first).
jobs_max() {
  local cores mem limit by_memory
  cores=$(nproc)
  mem=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  case $limit in '' | max) ;; *)
    limit=$((limit / 1048576))
    [ "$limit" -ge "$mem" ] || mem=$limit
    ;;
  esac
  by_memory=$((mem / 1536))
  [ "$by_memory" -ge 1 ] || by_memory=1
  [ "$cores" -le "$by_memory" ] || cores=$by_memory
  printf '%s\n' "$cores"
}

# Shows ninja's "[3/40] ..." lines as one line on a terminal, as every tenth per cent otherwise.
show_progress() {
  local line now all part last=-1
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$1"
    case $line in '['*/*']'*) ;; *) continue ;; esac
    now=${line#\[}
    all=${now#*/}
    now=${now%%/*}
    all=${all%%\]*}
    case $now$all in *[!0-9]*) continue ;; esac
    if [ -t 2 ]; then
      printf '\rmainstay: %s: %s of %s ' "$2" "$now" "$all" >&2
    else
      part=$((now * 10 / all))
      [ "$part" -eq "$last" ] || say "$2: $now of $all"
      last=$part
    fi
  done
  [ ! -t 2 ] || [ "$last" = -1 ] || printf '\n' >&2
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

# Builds a preset: build_preset NAME [TARGET...]. The log holds everything; a failure shows its end.
# A second build of the same preset waits for the first.
build_preset() {
  mkdir -p "$root/build" 2>/dev/null || die "cannot write to $root/build"
  (
    flock -n 9 || {
      say "waiting for another build of $1"
      flock 9
    }
    build_preset_alone "$@" 9>&-
  ) 9>"$root/build/.lock-$1" || exit 1
}

build_preset_alone() {
  local preset=$1 log
  shift
  need_space "$root" 2000 "building"
  log=$(log_file "$preset")
  : >"$log"
  if ! (cd "$root" && cmake --preset "$preset") >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "configuring the $preset build failed (log: $log)"
  fi
  local targets=() target
  for target in "$@"; do targets+=(--target "$target"); done
  say "building $preset with $(jobs_max) jobs (log: $log)"
  if ! (
    set -o pipefail
    cd "$root" && cmake --build --preset "$preset" -j "$(jobs_max)" "${targets[@]}" 2>&1 |
      show_progress "$log" "building $preset"
  ); then
    if grep -qaE 'error:|undefined' "$log"; then
      grep -aE 'error:|undefined' "$log" | cut -c1-300 | head -n 8 >&2
    else
      tail -n 12 "$log" | cut -c1-300 >&2
    fi
    ! grep -q 'No space left' "$log" || die "disk full while building (log: $log)"
    die "the $preset build failed (log: $log)"
  fi
}

# Builds build/release/mainstay when a source is newer than the last build. Deleted files count:
# their folder is newer then. Not web/ itself: the build may put node_modules into it.
build_release() {
  local done=$root/build/release/.built
  if [ -x "$root/build/release/mainstay" ] && [ -e "$done" ] &&
    [ -z "$(find "$root/src" "$root/cmake" "$root"/web/* "$root/CMakeLists.txt" \
      "$root/CMakePresets.json" -name node_modules -prune -o -newer "$done" -print -quit)" ]; then
    return 0
  fi
  need_packages "$root/tools/packages-build.txt"
  mkdir -p "$root/build/release" 2>/dev/null || die "cannot write to $root/build"
  touch "$done.new"  # before the build: what changes while it runs is built next time
  build_preset release
  [ -x "$root/build/release/mainstay" ] ||
    die "the build ended without build/release/mainstay (log: $root/build/log/release.log)"
  mv "$done.new" "$done"
}
