#!/bin/sh
# Trains models/irish.safetensors again: folk tunes from ABC notation to MIDI and back.  First a few bars of tunes, on which a
# model learns to follow the score, then longer excerpts, then whole tunes, from ABC to MIDI first and then in both directions
# (docs/experiments/recipe.md says why); an hour and a quarter on two cores of an AMD server processor (Zen 4), and about as long
# before it for the tunes in all keys and the excerpts.
#
#   models/irish.sh TUNES OUT
#
# TUNES (irish-abc) holds train.abc and validation.abc with an index beside each, or the archive of these.  OUT gets the tunes,
# the run folders and irish.safetensors.  Run again, it goes on where it was stopped.  BGPT names the program where it is not in
# PATH.
set -eu
here=$(dirname "$0")
bgpt=${BGPT:-bgpt}
export BGPT="$bgpt"
[ $# = 2 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
tunes=$1 out=$2
mkdir -p "$out"
. "$here/stages.sh"

prepare() { # FOLDER, command
    folder=$1
    shift
    [ -f "$folder.done" ] || "$@"
    : >"$folder.done"
}

stage() { # NAME, options
    train_stage "$@" --loss target --recipe fast --qk-lr 0.5 --licence 'CC BY-SA 4.0 (some of the tunes; the others are in the public domain)'
}

prepare "$out/keys" sh "$here/../examples/prepare/irish-abc.sh" "$tunes" "$out/keys" --transpose all --excerpts 1:6 -f
keys=$out/keys/train
find "$keys/train" -name '*.abc' | LC_ALL=C sort | awk 'NR % 4 == 0' >"$out/quarter.abc"
prepare "$out/long" "$bgpt" prepare music "@$out/quarter.abc" --excerpts 6:24 --validation 0 --doubles keep -o "$out/long" -f
# The first two are judged by nothing: on whole tunes a model gets worse while it learns to follow short ones.
stage one "$keys/excerpts" --pairs abc:mid --patch-size 4 --patch-layers 3 --patches 2048 --rotary yes --conv 15 --byte-hidden 128 --byte-layers 1 --embedding-init bits --schedule constant --batch 32 --steps 844 --seed 0
stage two "$keys/excerpts" "$out/long/excerpts" --pairs abc:mid --schedule constant --batch 24 --steps 1189 --seed 0
stage three "$keys/train" "$keys/excerpts" "$out/long/excerpts" --pairs abc:mid --lr 4e-3 --cooldown 0.75 --warmup 60 --batch 12 --steps 3666 --seed 0
stage four "$keys/train" "$keys/excerpts" "$out/long/excerpts" --pairs abc+mid --lr 4e-3 --cooldown 0.8 --warmup 60 --batch 16 --steps 6305 --seed 4 --val "$out/keys/validation/validation"
"$bgpt" export -f "$last" "$out/irish.safetensors"
