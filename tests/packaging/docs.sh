#!/bin/sh
# Documents that name what is no more are worse than none: every file and
# every function of ours that the documents mention must exist.
#
#   tests/packaging/docs.sh [SOURCE-FOLDER]
set -eu
cd "${1:-$(dirname "$0")/../..}"
list=$(mktemp)
trap 'rm -f "$list"' EXIT
status=0

for document in README.md CHANGELOG.md docs/*.md examples/tunes/README.md; do
    # what stands between backquotes, a line each, with its line number
    awk -v document="$document" '{
        n = split($0, part, "`")
        for (i = 2; i <= n; i += 2) print document ":" NR "\t" part[i]
    }' "$document"
done >"$list"

# Paths of this tree: known folders first, then anything without blanks.
grep -E '	(base|simcpu|data|ops|model|run|api|cli|include|tests|fuzz|bench|docs|scripts|cmake|examples)/[A-Za-z0-9_./*-]*$' "$list" |
    while IFS='	' read -r place path; do
        # NAME stands for any name
        ls -d $(echo "$path" | sed 's/NAME/*/') >/dev/null 2>&1 || echo "$place: there is no $path"
    done >"$list.missing"
# Functions and types of ours.
grep -E '	(bg|bgpt)_[a-z0-9_]+$' "$list" |
    while IFS='	' read -r place name; do
        grep -rqwF --include='*.[ch]' -e "$name" base simcpu data ops model run api include || echo "$place: the code has no $name"
    done >>"$list.missing"
if [ -s "$list.missing" ]; then
    cat "$list.missing"
    status=1
else
    echo "docs: every file and function named exists ($(wc -l <"$list") mentions read)"
fi
rm -f "$list.missing"
exit $status
