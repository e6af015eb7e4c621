# Training from the command line: what it leaves, interruption, resumption.

shape="--hidden 64 --patch-layers 1 --byte-layers 1 --patches 32 --patch-size 8 --batch 2"
data=$FIXTURES/files

# shellcheck disable=SC2086 # $shape is meant to be split
train() { "$BGPT" train $shape "$@"; }

expect 0 train "$data" --val "$data" --steps 4 --seed 5 --out whole --licence CC0 --meta origin=tests
prints "whole/model.safetensors"
says "bits/byte"
says "next:"
exists whole/model.safetensors
exists whole/log.jsonl
exists whole/config.json
expect 0 "$BGPT" info --format=json whole/model.safetensors
json config parameters training
prints '"licence": "CC0"'
prints '"origin": "tests"'

# A run is not replaced by accident.
refuse 2 "whole holds a run already" train "$data" --steps 1 --out whole -q
for left in config.json model.safetensors log.jsonl checkpoint-00000004.safetensors; do
    rm -rf part
    mkdir part
    echo mine >part/$left
    refuse 2 "part holds a run already" train "$data" --steps 1 --out part -q
    checks=$((checks + 1))
    [ "$(cat part/*)" = mine ] || wrong "part/$left is not what it was"
done
expect 0 train "$data" --steps 1 --out whole -q -f
silent
refuse 3 "nowhere" "$BGPT" train -q --resume --out nowhere
expect 0 "$BGPT" train --resume --out whole --format=json
json model loss
says "nothing left to train"

expect 0 train "$data" --steps 1 --out quick -v
says "batch = 2"
says "lr = (not given)"
expect 0 cat quick/config.json
prints '"lr": 0.005' # of the recipe that is used unless told: fast
prints '"optimizer": "muon"'
prints '"match": 1'
expect 0 train "$data" --steps 1 --resume --out begun -q # nothing is there to resume: the same recipe
expect 0 cat begun/config.json
prints '"match": 1'
expect 0 train "$data" --steps 1 --recipe plain --out quick -q -f
expect 0 cat quick/config.json
prints '"lr": 0.0003'
expect 0 train "$data" --steps 2 --out quick -q -f --format=json
json run model step loss seconds
silent

# A rate that is far too high ends the run with a sentence that names the step.
refuse 1 "diverged at step" train "$data" --steps 500 --lr 1e6 --out diverged -q

# SIGTERM: the step is finished, all is saved, 75; and it can go on from there.
interrupt() {
    rm -rf stopped
    # shellcheck disable=SC2086 # $shape is meant to be split
    "$BGPT" train $shape "$data" --steps 100000 --time 60s --schedule constant --seed 5 --out stopped >"$WORK/stdout" 2>"$WORK/stderr" </dev/null &
    job=$!
    last_command="bgpt train (interrupted)"
    waited=0
    until [ -s stopped/log.jsonl ] || [ $waited -ge 300 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -s "$1" $job
    wait $job
    code=$?
}
for signal in TERM INT; do
    interrupt $signal
    checks=$((checks + 1))
    [ "$code" = 75 ] || wrong "exit code $code instead of 75 after $signal"
    says "bgpt train --resume --out stopped"
done
steps=$(wc -l <stopped/log.jsonl)
# shellcheck disable=SC2016 # the inner shell expands it
run sh -c '"$@" & job=$!; sleep 2; kill -s TERM $job; wait $job' sh "$BGPT" train --resume --out stopped
checks=$((checks + 1))
[ "$code" = 75 ] || wrong "exit code $code instead of 75 after --resume"
checks=$((checks + 1))
[ "$(wc -l <stopped/log.jsonl)" -gt "$steps" ] || wrong "--resume did no further step"

# A classifier, from training to labels.
mkdir -p labelled
for i in 1 2 3 4; do
    printf 'aaaaaaaaaaaaaaaa%d' $i >labelled/low_$i.txt
    printf 'zzzzzzzzzzzzzzzz%d' $i >labelled/high_$i.txt
done
mkdir unlabelled && for n in 1 2 3; do printf 'text %s' "$n" >unlabelled/tune-$n.txt; done
expect 0 train unlabelled --classify --steps 1 --out each-its-own
says "each of the 3 files has a label of its own, tune-1.txt for one"
expect 0 train labelled --classify --val labelled --steps 30 --lr 1e-3 --out classifier
says "held-out accuracy"
expect 0 "$BGPT" classify -q -m classifier/model.safetensors labelled
prints "low_1.txt: "
expect 0 "$BGPT" eval -q --format=json -m classifier/model.safetensors labelled
json accuracy macro_f1 labels confusion
prints '"low.txt"'
expect 0 "$BGPT" eval -m classifier/model.safetensors labelled
prints "confusion"

# Formats the model has seen are in it; others are refused.
expect 0 train labelled --steps 1 --out text -q
refuse 3 "it knows txt" "$BGPT" generate -q -m text/model.safetensors --ext mid -o x.mid
cp "$TUNE" tune.abc
expect 3 "$BGPT" convert -q -m text/model.safetensors tune.abc tune.txt
says "it knows txt"

# Pairs.
mkdir -p pairs
for i in 1 2 3; do
    printf 'X:%d' $i >pairs/p$i.abc
    printf 'MThd%d' $i >pairs/p$i.mid
done
expect 0 train pairs --pairs abc+mid --loss target --steps 2 --out both
says "bgpt convert -m both/model.safetensors"
expect 0 "$BGPT" eval -q --format=json -m both/model.safetensors --pairs abc:mid pairs
prints "p1.abc -> "
expect 0 "$BGPT" convert -q -m both/model.safetensors pairs converted --to mid
exists converted/p1.mid
refuse 3 "pairs" train pairs --pairs wav:bmp --steps 1 --out none -q

# Programs made on the fly.
expect 0 train cpu:1::1-2,1-4 --loss target --val cpu:1:3:1-4 --steps 4 --patches 160 --out programs --previous column+keys --grams 300 --skip-empty 0.5 --embedding-init bits
says "held-out"
expect 0 "$BGPT" eval -q --format=json -m programs/model.safetensors cpu:1:2:1-3
prints '"file": "cpu:1:2:1-3, program 1"'
expect 0 "$BGPT" info programs/model.safetensors
prints "bin"
prints "rows of n-grams"
expect 0 "$BGPT" generate -q -m programs/model.safetensors --ext bin --max-bytes 100 -o -
refuse 2 "cpu:1 has no end" train cpu:1 --epochs 2 --out none -q
refuse 2 "cpu:1 has no end" train cpu:1 --out none -q
refuse 2 "MIN-MAX" train cpu:1::5 --steps 1 --out none -q
refuse 2 "cannot be mixed" train cpu:1 "$data" --steps 1 --out none -q
refuse 2 "empty memory can be left out of programs only" train "$data" --skip-empty 1 --steps 1 --out none -q
refuse 2 "empty memory can be left out of programs only" train cpu:1 --skip-empty 1 --steps 1 --out none -q
refuse 2 "cannot be given with --pairs" train "$data" --pairs abc:mid --augment --steps 1 --out none -q
expect 0 train "$data" --augment --steps 1 --out unchanged
says "no file is called .wav or .bmp"
mkdir sounds
head -c 3000 "$data"/$(ls "$data" | head -n 1) >sounds/a.WAV
expect 0 train sounds --augment --steps 1 --out unchanged -f
checks=$((checks + 1))
! grep -q "no file is called" "$WORK/stderr" || wrong "a.WAV is not taken for a sound by its name"
refuse 2 "neither pairs nor labels" train cpu:1 --classify --steps 1 --out none -q
refuse 2 "cpu:1:1000" train cpu:1 --val cpu:1 --steps 1 --out none -q
expect 2 "$BGPT" eval -q -m programs/model.safetensors cpu:1
says "cpu:1:1000"

# A context shorter than two patches of bytes.
expect 0 train "$data" --previous keys --patches 8 --steps 2 --out narrow -q
expect 0 "$BGPT" eval -q -m narrow/model.safetensors "$data"
expect 0 "$BGPT" generate -q -m narrow/model.safetensors --ext abc --max-bytes 100 -o -

# Recipes: what is typed overrules them, and a resumed run keeps its own.
expect 0 "$BGPT" train --recipe list
prints "reference"
prints "classify"
refuse 2 "the recipes are" train "$data" --recipe none --steps 1 --out none -q
expect 0 train "$data" --steps 2 --recipe reference --lr 5e-4 --out recipe -q
expect 0 cat recipe/config.json
prints '"clip": 0,'
prints '"lr": 0.0005'
prints '"schedule": "constant"'
prints '"batch": 2' # of $shape
expect 0 "$BGPT" train --resume --recipe fast --out recipe
says "other wishes are not heard"
refuse 2 "the recipes are" train "$data" --resume --recipe none --out recipe -q
expect 0 cat recipe/config.json
prints '"schedule": "constant"'
no_leftovers "$WORK"

# Curves of runs.
expect 0 "$BGPT" plot whole programs/log.jsonl -o curves.csv -q
checks=$((checks + 1))
[ "$(wc -l <curves.csv)" = $(($(cat whole/log.jsonl programs/log.jsonl | wc -l) + 1)) ] || wrong "a line of the log has no line in the CSV"
checks=$((checks + 1))
grep -q '^programs,4,' curves.csv || wrong "step 4 of programs is missing"
expect 0 "$BGPT" plot whole programs -o curves.svg
says "curves.gp"
exists curves.svg curves.gp
checks=$((checks + 1))
grep -q '</svg>' curves.svg || wrong "curves.svg is no whole picture"
expect 0 "$BGPT" plot --x time --y bits programs -o bits.png -q
expect 0 "$BGPT" plot programs
prints "step"
expect 0 "$BGPT" plot whole programs --format=json
json runs run lines step bytes seconds loss lr grad_norm val_loss val_bits_per_byte
checks=$((checks + 1))
[ "$(grep -c '"step"' "$WORK/stdout")" = "$(cat whole/log.jsonl programs/log.jsonl | wc -l)" ] || wrong "a line of the log is missing in the JSON"
checks=$((checks + 1))
! grep -Eq '"(step|bytes)": [0-9]*\.' "$WORK/stdout" || wrong "a count with a fraction"
refuse 2 "curves.svg" "$BGPT" plot whole -o curves.svg
expect 0 "$BGPT" plot whole -o curves.svg -f -q
refuse 2 ".svg, .png or .csv" "$BGPT" plot whole -o curves.txt
printf '{"step": 1}\n' >odd.csv
refuse 2 "replace the run's log" "$BGPT" plot odd.csv -f -o odd.csv
refuse 3 "none" "$BGPT" plot none
refuse 3 "--y chooses another" "$BGPT" plot whole --y accuracy -o none.svg
printf '{"step": 1, "loss": 2}\n{"step": 2, "lo' >odd.jsonl # the end of a dying program
expect 0 "$BGPT" plot odd.jsonl -o torn.csv -q
printf '{"step": 1, "loss": 2}\n[]\n' >odd.jsonl
refuse 3 "odd.jsonl: line 2" "$BGPT" plot odd.jsonl
: >odd.jsonl
refuse 3 "no step has been logged" "$BGPT" plot odd.jsonl
mkdir -p no-programs
refuse 1 "gnuplot-nox" env PATH="$WORK/no-programs" "$BGPT" plot whole
mkdir -p 'a "b" $c'
printf '{"step": 1, "loss": 2}\n{"step": 2, "loss": 1}\n' >'a "b" $c/log.jsonl'
expect 0 "$BGPT" plot 'a "b" $c' -o 'd "e".svg' -q
exists 'd "e".svg'

"$BGPT" info programs/model.safetensors | grep -q '^sees of patch before *column+keys$' || wrong "not the word of --previous"
"$BGPT" info whole/model.safetensors --format=json | grep -q '"previous": "column+keys"' || wrong "not the recipe's --previous"
"$BGPT" info whole/model.safetensors --format=json | grep -q '"match": true' || wrong "no table of matches"
expect 0 train "$data" --steps 1 --previous none --grams 0 --out matching -q
refuse 1 "tables of n-grams or matches" "$BGPT" export matching/model.safetensors matching.pth
expect 0 train "$data" --steps 1 --previous none --grams 0 --match no --out published -q
"$BGPT" info published/model.safetensors --format=json | grep -q '"match": false' || wrong "a table of matches"
expect 0 "$BGPT" export published/model.safetensors published.pth

# other lengths and tables than the model to start from
expect 0 "$BGPT" train cpu:0:4:1-4 --loss target --hidden 64 --patch-layers 1 --byte-layers 1 --patches 80 --grams 16 --steps 1 -t 1 --out short
expect 0 "$BGPT" train cpu:0:4:1-4 --loss target --init short/model.safetensors --patches 100 --grams 0 --steps 1 -t 1 --out long
"$BGPT" info long/model.safetensors >long.txt
grep -q '^context in patches *100$' long.txt || wrong "not the longer context"
grep -q '^rows of n-grams *0$' long.txt || wrong "not without tables"
expect 0 "$BGPT" train cpu:0:4:1-4 --loss target --init short/model.safetensors --steps 1 -t 1 --out same
"$BGPT" info same/model.safetensors >long.txt
grep -q '^context in patches *80$' long.txt || wrong "not the model's context"
grep -q '^rows of n-grams *16$' long.txt || wrong "not the model's tables"

# rotary positions: of an option, kept by --init, and not of a published model
expect 0 train "$data" --steps 1 --previous none --grams 0 --match no --rotary yes --out turned -q
"$BGPT" info turned/model.safetensors | grep -q '^rotary positions *yes$' || wrong "no rotary positions"
"$BGPT" info turned/model.safetensors --format=json | grep -q '"rotary": true' || wrong "no rotary positions in JSON"
refuse 1 "rotary positions" "$BGPT" export turned/model.safetensors turned.pth
expect 0 "$BGPT" train "$data" --init turned/model.safetensors --patches 100 --steps 1 --out turned-on -q
"$BGPT" info turned-on/model.safetensors | grep -q '^rotary positions *yes$' || wrong "rotary positions were lost"
refuse 2 "takes the shape from its model" "$BGPT" train "$data" --init published/model.safetensors --rotary yes --steps 1 --out x -q

# convolutions likewise; and queries and keys that move more slowly, which goes into the recipe
expect 0 train "$data" --steps 1 --previous none --grams 0 --match no --conv 3 --qk-lr 0.5 --out near -q
"$BGPT" info near/model.safetensors | grep -q '^patches convolved *3$' || wrong "no convolutions"
"$BGPT" info near/model.safetensors --format=json | grep -q '"conv": 3' || wrong "no convolutions in JSON"
grep -q '"qk_lr": 0.5' near/config.json || wrong "no rate of queries and keys"
refuse 1 "convolutions" "$BGPT" export near/model.safetensors near.pth
expect 0 "$BGPT" train "$data" --init near/model.safetensors --steps 1 --out near-on -q
"$BGPT" info near-on/model.safetensors | grep -q '^patches convolved *3$' || wrong "convolutions were lost"
refuse 2 "takes the shape from its model" "$BGPT" train "$data" --init published/model.safetensors --conv 3 --steps 1 --out x -q
refuse 2 "17 is more than 16" "$BGPT" train "$data" --conv 17 --steps 1 --out x -q

# n-grams of patches: of a recipe, of an option, added to a model that has none and taken away again
expect 0 train "$data" --steps 1 --previous none --grams 0 --match no --patch-grams 20 --out patch-grams -q
refuse 1 "patch decoder has tables of n-grams" "$BGPT" export patch-grams/model.safetensors patch-grams.pth
expect 0 "$BGPT" train cpu:0:4:1-4 --loss target --init short/model.safetensors --patch-grams 24 --lr 1e-12 --steps 1 -t 1 --out added
"$BGPT" info added/model.safetensors >long.txt
grep -q '^n-grams of patches *24$' long.txt || wrong "no n-grams of patches were added"
grep -q '^rows of n-grams *16$' long.txt || wrong "not the model's other tables"
"$BGPT" eval -m short/model.safetensors -q cpu:9:4:1-4 >before.txt 2>&1
"$BGPT" eval -m added/model.safetensors -q cpu:9:4:1-4 >after.txt 2>&1
cmp before.txt after.txt || wrong "new tables change a model at once"
expect 0 "$BGPT" train cpu:0:4:1-4 --loss target --init added/model.safetensors --patch-grams 0 --steps 1 -t 1 --out taken
"$BGPT" info taken/model.safetensors --format=json | grep -q '"patch_grams": 0' || wrong "n-grams of patches were not taken away"
mkdir words
for i in 1 2 3 4; do echo "play song $i" >words/music_$i.txt; echo "pay bill $i" >words/bank_$i.txt; done
expect 0 "$BGPT" train words --classify --recipe classify-text --hidden 64 --patch-layers 1 --patch-size 4 --patches 12 --steps 60 -t 1 --out worded
"$BGPT" info worded/model.safetensors | grep -q '^n-grams of patches *16384$' || wrong "not the recipe's n-grams"
expect 0 "$BGPT" train words --classify --recipe classify-text --init short/model.safetensors --steps 1 -t 1 --out worded-init
"$BGPT" info worded-init/model.safetensors | grep -q '^n-grams of patches *16384$' || wrong "a model that has no n-grams of patches did not get the recipe's"
echo "pay for it" >unseen.txt
"$BGPT" classify -m worded/model.safetensors unseen.txt | grep -q bank || wrong "a word was not found again"
refuse 2 "65536" "$BGPT" train words --patch-grams 70000 --out x

# more layers: they begin by adding nothing, so that a model that has hardly moved predicts as the one it started from
expect 0 "$BGPT" train cpu:0:4:1-4 --loss target --init short/model.safetensors --patch-layers 3 --byte-layers 2 --lr 1e-12 --steps 1 -t 1 --out deep
"$BGPT" info deep/model.safetensors >deep.txt
grep -q '^patch layers  *3$' deep.txt || wrong "not three patch layers"
grep -q '^byte layers  *2$' deep.txt || wrong "not two byte layers"
for m in short deep; do
    "$BGPT" eval -m $m/model.safetensors cpu:5:8:1-4 --precision fp32 | awk '/in all/ { printf "%.4f\n", $3 }' >$m.bits
done
[ -s short.bits ] || wrong "no figure of the shallow model"
cmp -s short.bits deep.bits || wrong "the deeper model begins elsewhere: $(cat short.bits deep.bits)"
refuse 2 "layers are added, none is left out" "$BGPT" train cpu:0:4:1-4 --init deep/model.safetensors --patch-layers 2 --steps 1 --out shallow
expect 0 "$BGPT" train labelled --classify --init deep/model.safetensors --patch-layers 4 --byte-layers 1 --steps 1 -t 1 --out deep-labels
"$BGPT" info deep-labels/model.safetensors | grep -q '^byte layers  *0$' || wrong "a classifier with a byte decoder"
expect 0 "$BGPT" train cpu:0:4:1-4 --init deep-labels/model.safetensors --byte-layers 1 --steps 1 -t 1 --out undeep
"$BGPT" info undeep/model.safetensors | grep -q '^byte layers  *1$' || wrong "not the byte layers asked for"
refuse 2 "only --patches" "$BGPT" train cpu:0:4:1-4 --init deep/model.safetensors --hidden 128 --steps 1 --out shallow
