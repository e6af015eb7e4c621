#!/bin/sh
# Texts, one a file: the sets clinc150 (requests, labelled with one of ten domains), ag-news (articles, four classes) and
# wiki-text (articles, no labels).
#
#   examples/prepare/text.sh SET OUT [options of bgpt prepare text]
#
# SET holds train.csv, test.csv ... ("1","intent","text" and domains.txt; or "3","title","text"), or train.txt ... with articles
# between empty lines, or the archive of these.  OUT gets a folder for each.  BGPT names the program where it is not in PATH.
. "$(dirname "$0")/unpack.sh"
unpack "$1"
out=$2
shift 2

for file in "$raw"/*.csv; do
    [ -f "$file" ] || continue
    part=$(basename "$file" .csv)
    fresh_work
    if [ -f "$raw/domains.txt" ]; then # a label for the number of the domain; the text is the third column
        awk -F '\t' 'NR == FNR { name[$1] = $2; next } { n = $0; sub(/^"/, "", n); sub(/".*/, "", n); sub(/^"[^"]*"/, "\"" name[n] "\""); print }' \
            "$raw/domains.txt" "$file" >"$work/$part.csv"
        "$bgpt" prepare text "$work/$part.csv" --csv --column 3 --label-column 1 -o "$out/$part" "$@"
    else # title and text become one column
        sed 's/","/. /2' "$file" >"$work/$part.csv"
        "$bgpt" prepare text "$work/$part.csv" --csv --column 2 --label-column 1 -o "$out/$part" "$@"
    fi
done
for file in "$raw"/*.txt; do
    case $file in */domains.txt | */CREDITS.txt | "$raw/*.txt") continue ;; esac
    "$bgpt" prepare text "$file" --split-by blank -o "$out/$(basename "$file" .txt)" "$@"
done
