#!/bin/sh
# Trains models/irish.safetensors again: folk tunes from ABC notation to MIDI and back.  First short tunes made at random, on which
# a model learns to follow the score, then longer ones and bars of real tunes, then whole tunes (docs/experiments/recipe.md says
# why); about an hour and a quarter on two cores of an AMD server processor (Zen 4), and an hour before it for the tunes in all keys
# and the bars.
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

excerpts() { # BARS: excerpts of so many bars of the tunes of third.abc
    prepare "$out/parts-$1" "$bgpt" prepare music "@$out/third.abc" --excerpts "$1" --validation 0 --doubles keep -o "$out/parts-$1" -f
}

at_random() { # LOW HIGH SEED COUNT
    awk -v count="$4" -v seed="$3" -v low="$1" -v high="$2" -f "$here/random-tunes.awk" >"$out/random-$3.abc"
    prepare "$out/random-$3" "$bgpt" prepare music "$out/random-$3.abc" --validation 0 --min-notes 1 --doubles keep -o "$out/random-$3" -f
}

stage() { # NAME, options
    train_stage "$@" --loss target --licence 'CC BY-SA 4.0 (some of the tunes; the others are in the public domain)'
}

prepare "$out/keys" sh "$here/../examples/prepare/irish-abc.sh" "$tunes" "$out/keys" --transpose all -f
# A third of the tunes in all keys is as many as there is time for.
find "$out/keys/train/train" -name '*.abc' | LC_ALL=C sort | awk 'NR % 3 == 0' >"$out/third.abc"
awk '{ print; sub(/abc$/, "mid"); print }' "$out/third.abc" >"$out/third"
for bars in 1:3 4:8 6:24; do excerpts $bars; done
at_random 4 12 11 12000
at_random 8 40 12 6000
at_random 40 150 21 4000
# The first three are judged by nothing: on whole tunes a model gets worse while it learns to follow short ones.
stage one "$out/random-11/train" --pairs abc:mid --recipe fast --byte-hidden 128 --byte-layers 1 --patch-layers 3 --patch-size 4 --patches 2048 --rotary yes --embedding-init bits --schedule constant --batch 32 --steps 700 --seed 1
stage two "$out/random-11/train" "$out/random-12/train" --pairs abc+mid --recipe fast --schedule constant --batch 32 --steps 1200 --seed 2
stage three "$out/random-12/train" "$out/random-21/train" "$out/parts-1:3/excerpts" "$out/parts-4:8/excerpts" "$out/parts-6:24/excerpts" --pairs abc+mid --recipe fast --schedule constant --batch 24 --steps 1500 --seed 3
stage four "@$out/third" "$out/random-21/train" "$out/parts-4:8/excerpts" "$out/parts-6:24/excerpts" --pairs abc+mid --recipe fast --lr 4e-3 --cooldown 0.8 --warmup 60 --batch 16 --steps 7000 --seed 4 --val "$out/keys/validation/validation"
"$bgpt" export -f "$last" "$out/irish.safetensors"
