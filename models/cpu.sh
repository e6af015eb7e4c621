#!/bin/sh
# Trains models/cpu.safetensors again, in eleven stages of which each goes on from the one before (docs/experiments/cpu.md says
# why); about three hours on two cores of an AMD server processor (Zen 4).
#
#   models/cpu.sh OUT
#
# OUT gets a run folder a stage and cpu.safetensors.  Run again, it goes on where it was stopped.  BGPT names the program where
# it is not in PATH.
set -eu
bgpt=${BGPT:-bgpt}
out=${1:?usage: models/cpu.sh OUT}
mkdir -p "$out"
. "$(dirname "$0")/stages.sh"

stage() { # NAME, PROGRAMS, options
    number=$1 programs=$2
    shift 2
    train_stage "$number" "$programs" --recipe fast --skip-empty 0.9 --loss target --schedule constant "$@"
}

arithmetic=ADD,SUB,DIV
# the fetch and the easy instructions, on short programs
stage 1 cpu:0::1-16 --previous patch --grams 0 --match no --embedding-init bits --hidden 256 --patch-layers 6 --byte-layers 2 --patches 96 \
    --batch 32 --lr 5e-3 --warmup 150 --steps 1928
# more layers for arithmetic
stage 2 cpu:1::1-64 --patch-layers 8 --byte-layers 4 --patches 328 --batch 12 --lr 3e-3 --warmup 60 --steps 408
stage 3 cpu:2::1-32 --batch 20 --lr 4e-3 --warmup 30 --steps 341
# weights that decay, so that attention lets gradients through: further addresses
stage 4 cpu:4::1-32:$arithmetic --batch 20 --lr 4e-3 --weight-decay 0.5 --warmup 30 --steps 808
stage 5 cpu:5::1-64:$arithmetic,XOR --batch 12 --lr 4e-3 --weight-decay 0.5 --warmup 30 --steps 887
stage 6 cpu:6::1-255:$arithmetic --batch 4 --lr 4e-3 --weight-decay 0.5 --warmup 30 --steps 654
stage 7 cpu:7::1-255:$arithmetic --batch 4 --lr 4e-3 --weight-decay 1.5 --warmup 10 --steps 672
falling() { stage "$@" --schedule stable --licence MIT; }
# all arithmetic and logic of two operands, with a falling rate
falling 8 cpu:8::1-255:ADD,SUB,MUL,DIV,AND,OR,XOR --batch 4 --lr 4e-3 --weight-decay 0.7 --cooldown 0.75 --warmup 10 --steps 1943
# quotients and products of numbers that are still random: LOADI and POP bring new ones into long programs
falling 9 cpu:21::1-255:DIV,MUL,LOADI,POP --batch 4 --lr 1.5e-3 --weight-decay 0.5 --cooldown 0.8 --warmup 20 --steps 2078
falling 10 cpu:22::1-40:DIV,MUL --batch 16 --lr 1.2e-3 --weight-decay 0.4 --cooldown 0.85 --warmup 20 --steps 1168
# stage 10 forgets addresses that short programs do not reach
falling 11 cpu:23::1-255:DIV,LOADI,POP --batch 4 --lr 8e-4 --weight-decay 0.4 --cooldown 0.9 --warmup 10 --steps 745
"$bgpt" export -f "$last" "$out/cpu.safetensors"
