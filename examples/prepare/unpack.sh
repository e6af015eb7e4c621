# Read by the other scripts here: "unpack FOLDER" sets raw to the folder that holds the set's plain files, which is FOLDER
# itself or, where that holds an archive, a temporary one.
set -eu
bgpt=${BGPT:-bgpt}

raw=
drop() { [ "$raw" = "" ] || [ "$raw" = "$1" ] || rm -rf "$raw"; }

unpack() {
    raw=$1
    for archive in "$1"/*.tar.zst; do
        [ -f "$archive" ] || break
        raw=$(mktemp -d)
        zstd -dc "$archive" | tar x -C "$raw"
    done
    folder=$1
    trap 'drop "$folder"' EXIT
}

[ $# -ge 2 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
