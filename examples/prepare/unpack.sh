# Read by the other scripts here.  "unpack FOLDER" sets raw to the folder that holds the set's plain files: FOLDER itself or, where
# that holds an archive, a temporary one.  $work is a temporary folder for the script.  Both go with it.
set -eu
[ $# -ge 2 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
bgpt=${BGPT:-bgpt}
command -v "$bgpt" >/dev/null || { echo "$0: there is no program $bgpt; BGPT=build/bgpt names it" >&2; exit 1; }

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
work=$made/work
raw=

unpack() {
    raw=$1
    for archive in "$1"/*.tar.zst; do
        [ -f "$archive" ] || break
        raw=$made/raw
        mkdir -p "$raw"
        zstd -dc "$archive" | tar x -C "$raw"
    done
}

fresh_work() { rm -rf "$work" && mkdir "$work"; }
