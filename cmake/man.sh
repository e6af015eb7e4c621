#!/bin/sh
# Let the program write its own pages: one for itself, one for each command
# that its own page lists, so no page is missing and none differs from it.
#
#   cmake/man.sh PROGRAM FOLDER
set -eu
program=$1
folder=$2
mkdir -p "$folder"
"$program" --man >"$folder/bgpt.1"
sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/s/^\\fB\(.*\)\\fR$/\1/p' "$folder/bgpt.1" | while read -r command; do
    # a command may be of two words: "cpu generate" has the page bgpt-cpu-generate
    "$program" --man $command >"$folder/bgpt-$(echo "$command" | tr ' ' '-').1"
done
