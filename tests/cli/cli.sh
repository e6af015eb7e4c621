#!/bin/sh
# Tests of the program by its command line.
#
#   tests/cli/cli.sh PROGRAM SCRATCH [PART...]
#
# PROGRAM is bgpt, SCRATCH a folder that is emptied first.  PART is one of
# usage, files, work, train, bench, cpu, media, prepare, models, or short (a little of work and train, for slow
# machines); all but short without it.  Prints what differed and ends
# with 1 when something did.
set -u
if [ $# -lt 2 ]; then
    echo "usage: cli.sh PROGRAM SCRATCH [PART...]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
BGPT=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
rm -rf "$2/cli"
mkdir -p "$2/cli" || exit 2
WORK=$(cd "$2/cli" && pwd)
shift 2

FIXTURES=$here/../fixtures/micro
MODEL=$FIXTURES/model.safetensors
CLASSIFIER=$FIXTURES/classifier.safetensors
TUNE=$FIXTURES/files/p4031.abc
# The same on every machine: no colours, messages in English.  BGPT_ISA may
# force a level from outside.
unset NO_COLOR
LC_ALL=C
export LC_ALL

. "$here/support.sh"
cd "$WORK" || exit 2
[ $# -gt 0 ] || set -- usage files work train bench cpu media prepare models
for part in "$@"; do
    . "$here/$part.sh"
done

printf '%d checks, %d failed\n' "$checks" "$failures"
[ "$checks" -gt 0 ] && [ "$failures" = 0 ]
