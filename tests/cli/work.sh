# The verbs at work, on the small reference model: results, formats, streams.

cp "$TUNE" tune.abc

expect 0 "$BGPT" info "$MODEL"
prints "parameters"
expect 0 "$BGPT" info --check -v "$MODEL"
prints "every value is a finite number"
prints "patch_level_decoder.patch_embedding.weight"
expect 0 "$BGPT" info --format=json "$MODEL"
json config parameters labels training hidden patches
silent
expect 0 "$BGPT" info --format=json --check "$MODEL"
json tensors mean

# Scores: the same whatever they are computed with.
expect 0 "$BGPT" eval -m "$MODEL" "$FIXTURES/files"
prints "bits/byte"
prints "in all"
checks=$((checks + 1))
! grep -q "scored in windows" "$WORK/stderr" || wrong "a rule for long files, of which there is none"
head -c 20000 /dev/zero >long.txt
expect 0 "$BGPT" eval -m "$MODEL" long.txt
says "scored in windows"
expect 0 "$BGPT" eval -m "$MODEL" cpu:2:1 # few bytes of it count, but all are read
says "scored in windows"
expect 0 "$BGPT" eval -q --precision fp32 --format=json -m "$MODEL" "$FIXTURES/files"
json precision files total file bytes symbols nats_per_symbol reference_bpb bits_per_byte
silent
cp "$WORK/stdout" all.json
expect 0 "$BGPT" eval -q -t 1 --batch 1 --precision fp32 --format=json -m "$MODEL" "$FIXTURES/files"
same_file "$WORK/stdout" all.json
expect 0 "$BGPT" eval -q --format=json -m "$MODEL" --pairs abc:mid "$FIXTURES/files"
json files total
prints "p4031.abc -> "
prints '"left_out": 0'
mkdir -p lengths
for i in 1 2 3; do
    printf 'X:%d' $i >lengths/p$i.abc
    head -c $((10000 * (i - 1) + 8)) /dev/zero >lengths/p$i.mid
done
for pairs in abc:mid abc+mid; do
    expect 0 "$BGPT" eval -q --format=json -m "$MODEL" --pairs $pairs lengths
    json files total left_out
    prints '"left_out": 2'
done
expect 0 "$BGPT" eval -q -m "$MODEL" --weights int8 "$FIXTURES/files"
prints "8-bit weights cost"
expect 0 "$BGPT" eval -q --format=json -m "$MODEL" --weights int8 "$FIXTURES/files"
json files total weights full_bits_per_byte weights_cost_bits_per_byte
refuse 2 "--weights: int4 is not one of full|int8" "$BGPT" eval -m "$MODEL" --weights int4 "$FIXTURES/files"
expect 0 "$BGPT" generate -q -m "$MODEL" --weights int8 --ext abc --seed 5 --max-bytes 40 -o eight-1.abc
expect 0 "$BGPT" generate -q -t 1 -m "$MODEL" --weights int8 --ext abc --seed 5 --max-bytes 40 -o eight-2.abc
same_file eight-1.abc eight-2.abc
ls "$FIXTURES"/files/*.abc >list.txt
expect 0 "$BGPT" eval -q -m "$MODEL" @list.txt
prints "p4031.abc"

# Generation: to a file, to standard output, in one or many streams.
expect 0 "$BGPT" generate -m "$MODEL" --ext abc --prompt tune.abc --seed 7 --max-bytes 24 -o one.abc
says "one.abc: "
run sh -c '"$@" >two.abc' sh "$BGPT" generate -q -m "$MODEL" --ext abc --prompt tune.abc --seed 7 --max-bytes 24
same_file one.abc two.abc
# shellcheck disable=SC2016 # the inner shell expands it
expect 0 sh -c 'head -c "$(wc -c <tune.abc)" one.abc | cmp - tune.abc'
expect 0 "$BGPT" generate -q -f -t 1 -m "$MODEL" --ext abc --prompt tune.abc --seed 7 --max-bytes 24 -o two.abc
same_file one.abc two.abc
silent
expect 0 "$BGPT" generate -m "$MODEL" --ext abc --seed 3 --max-bytes 40 -n 5 -o many
for name in 0001 0002 0003 0004 0005; do
    exists "many/$name.abc"
done
missing many/0006.abc
expect 0 "$BGPT" generate -q -m "$MODEL" --ext abc --seed 3 --max-bytes 40 -n 5 --streams 2 -o again
expect 0 diff -r many again
expect 0 "$BGPT" generate -q --format=json -f -m "$MODEL" --ext mid --max-bytes 40 -n 2 -o many
json files file bytes made end midi seed
expect 0 "$BGPT" generate -m "$MODEL" --ext mid --max-bytes 8 -o bad.mid
says "as MIDI: "

refuse 2 "--repair is about MIDI" "$BGPT" generate -m "$MODEL" --ext abc --repair --max-bytes 8 -o bad.abc
refuse 2 "name a file" "$BGPT" generate -m "$MODEL" --ext mid --repair --max-bytes 8
refuse 2 "name a file" "$BGPT" convert -m "$MODEL" --from abc --to mid --repair - -
expect 0 "$BGPT" generate -q --format=json -f -m "$MODEL" --ext mid --repair --prompt "$FIXTURES/files/p4031.mid" --max-bytes 8 -o mended.mid
checks=$((checks + 1))
tr -d ' \n' <"$WORK/stdout" | grep -q '"repair":"repaired' || wrong "nothing was repaired: $(cat "$WORK/stdout")"
expect 0 "$BGPT" generate -m "$MODEL" --ext mid --repair --max-bytes 8 -o bad2.mid
says "; beyond repair"

# A prompt that is refused is not printed either; one that is not is, even when the model adds nothing to it.
head -c 100000 /dev/zero | tr '\0' A >long.abc
refuse 3 "leaves no room" "$BGPT" generate -q -m "$MODEL" --prompt long.abc
refuse 3 "leaves no room" "$BGPT" generate -q -m "$MODEL" --prompt long.abc -o from-long.abc
missing from-long.abc
expect 0 "$BGPT" generate -m "$MODEL" --prompt tune.abc --greedy -o greedy.abc
says "ended by itself"
same_file greedy.abc tune.abc
expect 0 "$BGPT" generate -q -m "$MODEL" --prompt tune.abc --greedy
same_file "$WORK/stdout" tune.abc

# Interrupted: what is complete stays, nothing half-made appears.
last_command="bgpt generate (interrupted)"
"$BGPT" generate -m "$MODEL" --ext abc -n 20000 -o broken >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
job=$!
waited=0
until [ -e broken/0001.abc ] || [ $waited -ge 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
kill -s TERM $job
wait $job
code=$?
checks=$((checks + 1))
[ "$code" = 1 ] || wrong "exit code $code instead of 1"
says "interrupted: "
missing broken/20000.abc
expect 0 "$BGPT" generate -q -m "$MODEL" --ext abc -o alone.abc
same_file alone.abc broken/0001.abc

# A signal that comes with the last bytes takes nothing away.  It is sent while the program
# waits for its input; one that it does not catch yet ends it, and the next attempt waits longer.
last_command="bgpt convert (interrupted, with all done)"
for seconds in 1 3 10 30; do
    rm -f last.fifo
    mkfifo last.fifo
    "$BGPT" convert -q -m "$MODEL" --from abc --to mid --temperature 1000 --max-bytes 1 - last.mid <last.fifo >"$WORK/stdout" 2>"$WORK/stderr" &
    job=$!
    exec 3>last.fifo
    sleep $seconds
    kill -s TERM $job
    sleep 0.1
    (cat tune.abc >&3) 2>"$WORK/broken-pipe"
    exec 3>&-
    wait $job
    code=$?
    [ "$code" = 143 ] || break
done
checks=$((checks + 1))
[ "$code" = 0 ] || wrong "exit code $code instead of 0"
silent
checks=$((checks + 1))
[ "$(wc -c <last.mid)" = 1 ] || wrong "last.mid is not there with its one byte"

# Conversion: one, many, a folder; streams; failures beside successes.
expect 0 "$BGPT" convert -m "$MODEL" tune.abc tune.mid --max-bytes 32
exists tune.mid
run sh -c '"$@" <tune.abc >piped.mid' sh "$BGPT" convert -q -m "$MODEL" --from abc --to mid --max-bytes 32 - -
same_file tune.mid piped.mid
mkdir -p tunes/sub
cp tune.abc tunes/a.abc
cp tune.abc tunes/sub/a.abc
cp tune.mid tunes/a.mid
expect 0 "$BGPT" convert -m "$MODEL" tunes out --to mid --max-bytes 32
says "left out: 1 file of another format"
same_file out/a.mid tune.mid
same_file out/sub/a.mid tune.mid
expect 3 "$BGPT" convert -m "$MODEL" no-such.abc tune.abc out2 --to mid --max-bytes 32
says "no-such.abc"
same_file out2/tune.mid tune.mid
expect 3 "$BGPT" convert -m "$MODEL" long.abc tune.abc out3 --to mid --max-bytes 32
says "long.abc: "
same_file out3/tune.mid tune.mid
missing out3/long.mid

# For a program that reads the results, failures are results.
expect 3 "$BGPT" convert -q --format=json -m "$MODEL" no-such.abc long.abc tune.abc out4 --to mid --max-bytes 32
json files seed file input error status bytes end
prints "leaves no room"
prints '"input": "no-such.abc"'
prints '"status": 0'
prints '"status": 3'
expect 3 "$BGPT" convert -q --format=json -m "$MODEL" long.abc long.mid
json files seed file input error status
missing long.mid
expect 3 "$BGPT" convert -q --format=json -m "$MODEL" no-such.abc none.mid
json files seed input error status
refuse 3 "no-such-model" "$BGPT" convert -q --format=json -m no-such-model tune.abc none.mid

# Classification.
expect 0 "$BGPT" classify -m "$CLASSIFIER" tune.abc tunes
prints "tune.abc: "
expect 0 "$BGPT" classify -q --format=json -m "$CLASSIFIER" tune.abc
json files file label logits
silent
expect 3 "$BGPT" classify -q -m "$CLASSIFIER" no-such.abc tune.abc
prints "tune.abc: "
expect 3 "$BGPT" classify -q -m "$MODEL" tune.abc
says "is not a classifier"

# Weights of the reference, there and back.
expect 0 "$BGPT" import "$FIXTURES/model.pth" imported.safetensors
expect 0 "$BGPT" export imported.safetensors exported.pth
expect 0 "$BGPT" import exported.pth back.safetensors
for name in imported back; do
    expect 0 "$BGPT" eval -q --precision fp32 --format=json -m $name.safetensors "$FIXTURES/files"
    same_file "$WORK/stdout" all.json
done
no_leftovers "$WORK"

# Bits byte by byte: their sum is what eval says.
expect 0 "$BGPT" eval -q --format=json -m "$MODEL" tune.abc
bits=$(sed -n 's/.*"bits_per_byte": //p' "$WORK/stdout" | head -n 1)
expect 0 "$BGPT" inspect -q --format=json -m "$MODEL" tune.abc
json bits bits_per_byte bytes end_bits file from
prints "\"bits_per_byte\": $bits"
expect 0 "$BGPT" inspect -q -m "$MODEL" tune.abc -o heat.html
checks=$((checks + 1))
grep -q "$(printf '%.4f' "${bits%,}") bits per byte" heat.html || wrong "the page's bits are not eval's $bits"
expect 0 "$BGPT" inspect -q -m "$MODEL" tune.abc --from 32 --length 20
prints "00000020"
prints "00000030"
prints "dearest"
expect 0 "$BGPT" inspect -q -m "$MODEL" tune.abc --from 1M
refuse 2 "heat.html" "$BGPT" inspect -m "$MODEL" tune.abc -o heat.html
refuse 2 ".html" "$BGPT" inspect -m "$MODEL" tune.abc -o heat.gif
refuse 2 "one file" "$BGPT" inspect -m "$MODEL" tune.abc "$TUNE"
refuse 2 "one is inspected" "$BGPT" inspect -q -m "$MODEL" "$FIXTURES/files"
refuse 2 "-m MODEL" "$BGPT" inspect tune.abc
refuse 3 "classifier" "$BGPT" inspect -q -m "$CLASSIFIER" tune.abc
refuse 3 "nowhere" "$BGPT" inspect -q -m "$MODEL" nowhere
: >empty.abc
expect 0 "$BGPT" inspect -q -m "$MODEL" empty.abc
prints "0 bytes"
mkdir -p two
cp tune.abc two/t.abc
printf 'MThd' >two/t.mid
expect 0 "$BGPT" inspect -q -m "$MODEL" --pairs abc:mid two/t.abc two/t.mid
prints "MThd"
prints "4 bytes"
