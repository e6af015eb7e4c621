#!/bin/sh
# Folk tunes, one a file in one form, with their MIDI: the set irish-abc, without the tunes whose terms keep a product from using
# them (non-commercial, GPL).
#
#   examples/prepare/irish-abc.sh SET OUT [options of bgpt prepare music, --transpose all for one]
#
# SET holds train.abc and validation.abc with an index beside each (a header, then a tune a line, its licence sixth), or the
# archive of these.  OUT gets train/train and validation/validation.  BGPT names the program where it is not in PATH.
. "$(dirname "$0")/unpack.sh"
unpack "$1"
out=$2
shift 2

# Tunes stand between empty lines.
open_tunes() { # PART
    awk -F '\t' '
        NR == FNR { if (FNR > 1) open[FNR - 1] = $6 !~ /NC|GPL/; next }
        FNR == 1 { RS = ""; FS = "\n" }
        open[++record] { print $0 "\n" }
    ' "$raw/$1.index.tsv" RS= "$raw/$1.abc"
}

fresh_work
open_tunes train >"$work/train.abc"
open_tunes validation >"$work/validation.abc"
"$bgpt" prepare music "$work/train.abc" --validation 0 -o "$out/train" "$@"
"$bgpt" prepare music "$work/validation.abc" --validation 100 --doubles keep -o "$out/validation" "$@"
