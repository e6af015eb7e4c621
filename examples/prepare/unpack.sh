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

# cut_pieces FILE SIZE EXTENSION: pieces of SIZE bytes as $work/NNNNNN.EXTENSION, $work/header in front of each, their paths in $work/list.
cut_pieces() {
    split -b "$2" -d -a 6 "$1" "$work/"
    for piece in "$work"/[0-9]*; do
        cat "$work/header" "$piece" >"$piece.$3"
        rm "$piece"
    done
    find "$work" -name "*.$3" >"$work/list"
}

# label_pieces TSV EXTENSION: in $work/labels piece and label of each line behind the header; a column "class" is wanted before the first.
label_pieces() {
    awk -F '\t' -v extension="$2" 'FNR == 1 { column = $2 == "class" ? 2 : 1; next } { printf "%06d.%s\t%s\n", FNR - 2, extension, $column }' "$1" >"$work/labels"
}
