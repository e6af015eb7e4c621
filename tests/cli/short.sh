# One small run and what comes of it, for machines on which the other parts
# take too long, as an emulator: train, go on, score, generate, convert.

shape="--hidden 64 --patch-layers 1 --byte-layers 1 --patches 32 --patch-size 8 --batch 2"
cp "$TUNE" tune.abc

# shellcheck disable=SC2086 # $shape is meant to be split
expect 0 "$BGPT" train $shape "$FIXTURES/files" --val "$FIXTURES/files" --steps 3 --seed 5 --out run
prints "run/model.safetensors"
says "bits/byte"
checks=$((checks + 1))
[ "$(grep -c '"loss"' run/log.jsonl)" -ge 3 ] || wrong "the log holds fewer than three steps"
expect 0 "$BGPT" train --resume --out run --format=json
says "nothing left to train"
expect 0 "$BGPT" info --check run/model.safetensors

expect 0 "$BGPT" generate -q -m run/model.safetensors --ext abc --prompt tune.abc --seed 7 --max-bytes 24 -o one.abc
expect 0 "$BGPT" generate -q -t 1 -m run/model.safetensors --ext abc --prompt tune.abc --seed 7 --max-bytes 24 -o two.abc
same_file one.abc two.abc
expect 0 "$BGPT" generate -q -m "$MODEL" --ext abc --seed 3 --max-bytes 40 -n 3 -o many
exists many/0003.abc
expect 0 "$BGPT" convert -m "$MODEL" tune.abc tune.mid --max-bytes 32
exists tune.mid

# Scores and weights of the reference, there and back.
expect 0 "$BGPT" eval -q --precision fp32 --format=json -m "$MODEL" tune.abc
cp "$WORK/stdout" score.json
expect 0 "$BGPT" import "$FIXTURES/model.pth" imported.safetensors
expect 0 "$BGPT" eval -q -t 1 --precision fp32 --format=json -m imported.safetensors tune.abc
same_file "$WORK/stdout" score.json
no_leftovers "$WORK"
