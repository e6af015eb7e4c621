#!/bin/sh
# Trains models/irish.safetensors again: folk tunes from ABC notation to MIDI and back.  First random tunes and bars of real ones,
# on which a model learns to follow the score, then longer ones, then whole tunes (docs/experiments/recipe.md says why); about
# an hour and a half on two cores of an AMD server processor (Zen 4), and half an hour for the tunes in all keys.
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

real() { # BARS: excerpts of so many bars; the tunes come with the first of them
    prepare "$out/bars-$1" sh "$here/../examples/prepare/irish-abc.sh" "$tunes" "$out/bars-$1" --transpose all --excerpts "$1" -f
}

at_random() { # LOW HIGH SEED COUNT
    awk -v count="$4" -v seed="$3" -v low="$1" -v high="$2" -f "$here/random-tunes.awk" >"$out/random-$3.abc"
    prepare "$out/random-$3" "$bgpt" prepare music "$out/random-$3.abc" --validation 0 --min-notes 1 --doubles keep -o "$out/random-$3" -f
}

stage() { # NAME, options
    train_stage "$@" --pairs abc+mid --loss target --val "$out/bars-1:3/validation/validation" --val-limit 20 \
        --licence 'CC BY-SA 4.0 (some of the tunes; the others are in the public domain)'
}

real 1:3
real 4:8
at_random 4 12 11 12000
at_random 8 40 12 6000
short="$out/random-11/train $out/bars-1:3/train/excerpts" longer="$out/random-12/train $out/bars-4:8/train/excerpts"
# shellcheck disable=SC2086 # several folders
stage short $short --recipe fast --byte-hidden 128 --byte-layers 1 --patch-size 8 --patches 1024 --embedding-init bits --cooldown 0.15 --batch 48 --steps 1279 --seed 1
# shellcheck disable=SC2086
stage longer $short $longer --recipe fast --lr 4e-3 --cooldown 0.15 --batch 24 --steps 2383 --seed 2
stage tunes "$out/bars-1:3/train/train" "$out/bars-1:3/train/excerpts" "$out/bars-4:8/train/excerpts" --recipe fast --lr 3e-3 --schedule constant --batch 8 --steps 2000 --seed 3
stage falling "$out/bars-1:3/train/train" "$out/bars-4:8/train/excerpts" --recipe fast --lr 3e-3 --cooldown 0.7 --batch 12 --steps 4800 --seed 4
"$bgpt" export -f "$last" "$out/irish.safetensors"
