#!/bin/sh
# Trains models/digits.safetensors again: spoken English digits (Free Spoken Digit Dataset), begun from a classifier of spoken
# Arabic words (Arabic Speech Commands), of which there are more; about an hour and a half on one core of an AMD server
# processor (Zen 2).
#
#   models/digits.sh DIGITS WORDS OUT
#
# DIGITS (speech-fsdd) and WORDS (speech-asc) hold train.u8 ... and their .tsv, or the archive of these.  OUT gets the clips, the
# run folders and digits.safetensors.  Run again, it goes on where it was stopped.  BGPT names the program where it is not in
# PATH.
set -eu
here=$(dirname "$0")
bgpt=${BGPT:-bgpt}
export BGPT="$bgpt"
[ $# = 3 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
digits=$1 words=$2 out=$3
mkdir -p "$out"
. "$here/stages.sh"

run() { # NAME, what to train on and how
    train_stage "$@" --classify --recipe classify --augment --dropout 0.15 --weight-decay 0.2 --rest-lr 0.2 --warmup 50
}

prepare() { # SET, FOLDER
    [ -f "$2.done" ] || sh "$here/../examples/prepare/speech.sh" "$1" "$2" -f
    : >"$2.done"
}

prepare "$words" "$out/words-clips"
prepare "$digits" "$out/clips"
# takes 5 to 8 of each speaker and digit are held out, to see when it is good
cat "$digits"/train.tsv 2>/dev/null >"$out/train.tsv" || zstd -dc "$digits"/*.tar.zst | tar x -O --wildcards '*train.tsv' >"$out/train.tsv"
: >"$out/held.txt" && : >"$out/fit.txt"
awk -F '\t' -v out="$out" 'FNR > 1 { printf "%s/clips/train/%s_%06d.wav\n", out, $1, FNR - 2 >> (out ($3 >= 5 && $3 <= 8 ? "/held.txt" : "/fit.txt")) }' "$out/train.tsv"

run words "$out/words-clips/train" --val "$out/words-clips/validation" --embedding-init levels --hidden 128 --patch-layers 4 --patch-size 64 --patches 140 \
    --time 60m --licence 'CC BY 4.0'
run held "@$out/fit.txt" --val "@$out/held.txt" --lr 1e-3 --time 15m --licence 'CC BY-SA 4.0'
# at last with the held-out takes too, at a rate too low to go astray
run digits "$out/clips/train" --lr 5e-4 --time 6m --licence 'CC BY-SA 4.0; begun from clips under CC BY 4.0'
"$bgpt" export -f "$out/digits/model.safetensors" "$out/digits.safetensors"
