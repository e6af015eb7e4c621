# bgpt bench on the smallest model: what it prints, not how fast anything is.

shape="--hidden 64 --patch-layers 1 --byte-layers 1 --patches 16 --patch-size 8 --batch 2 --streams 3 --time 0.01s"

# shellcheck disable=SC2086 # $shape is meant to be split
{
    expect 0 "$BGPT" bench $shape -t 1 --format=json
    json isa precision threads config peaks ops figures train_KBps eval_KBps generate_Bps generate_batch_Bps
    prints '"op": "linear"'
    prints '"op": "adamw"'
    prints '"threads": 1,'
    says "computing with"
    expect 0 "$BGPT" bench $shape -q --precision fp32
    silent
    prints "read from DRAM"
    prints "training, KB/s"
    prints "linear_back_weight"
}
expect 0 "$BGPT" bench --size list
prints "million parameters"

# Stopped by a signal it ends soon, with a sentence and no half of a table.
"$BGPT" bench --size nano --time 60s >"$WORK/stdout" 2>"$WORK/stderr" &
bench=$!
sleep 1
kill -INT "$bench"
wait "$bench"
code=$?
last_command="bgpt bench, interrupted"
checks=$((checks + 1))
[ "$code" = 1 ] && [ ! -s "$WORK/stdout" ] || wrong "exit code $code instead of 1, or something on standard output"
says "interrupted"

refuse 2 "there is no size" "$BGPT" bench --size enormous-2
refuse 2 "--hidden: 100 is not a multiple of 64" "$BGPT" bench --hidden 100
refuse 2 "--streams: 0 is less than 1" "$BGPT" bench --streams 0
refuse 2 "--streams: 5000 is more than 4096" "$BGPT" bench --streams 5000
refuse 2 "--time: not a duration" "$BGPT" bench --time x
refuse 2 "is more than 3600" "$BGPT" bench --time 2h
refuse 2 "one argument too many" "$BGPT" bench folder
