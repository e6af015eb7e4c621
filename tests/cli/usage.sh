# The command line itself: commands, options, ranges, help.

expect 2 "$BGPT"
says "usage: bgpt COMMAND"
refuse 2 "did you mean bgpt train?" "$BGPT" trian
refuse 2 "no such command" "$BGPT" xyzzy
for words in help --help -h; do
    expect 0 "$BGPT" "$words"
    prints "generate"
    silent
done
for words in "prepare -h" "prepare --help" "help prepare"; do
    # shellcheck disable=SC2086 # several words
    expect 0 "$BGPT" $words
    prints "prepare audio"
    silent
done
expect 0 "$BGPT" help -h
prints "usage: bgpt COMMAND"
refuse 2 "prepare needs one of these" "$BGPT" prepare
refuse 2 "no such command" "$BGPT" xyzzy -h
refuse 2 "prepare needs one of these" "$BGPT" help prepare xyzzy
refuse 2 "a second MODEL is missing" "$BGPT" average "$MODEL" -o none
refuse 2 "-o FILE is empty" "$BGPT" generate -m "$MODEL" --ext abc -o ""
refuse 3 "cannot read nofile" "$BGPT" eval -q -m "$MODEL" nofile
refuse 5 "cannot create nowhere/new.abc: No such" "$BGPT" generate -m "$MODEL" --ext abc -o nowhere/new.abc
expect 0 "$BGPT" --version
prints "bgpt 0."
expect 0 "$BGPT" version --format=json
json version isa precision threads

for verb in train eval generate convert classify info import export average bench version; do
    expect 0 "$BGPT" "$verb" -h
    prints "usage: bgpt $verb"
    for option in --threads --precision --seed --quiet --verbose --format; do
        prints "$option"
    done
    silent
    cp "$WORK/stdout" "$WORK/help-$verb"
    expect 0 "$BGPT" help "$verb"
    same_file "$WORK/stdout" "$WORK/help-$verb"
    expect 0 "$BGPT" --man "$verb"
    prints ".SH EXIT STATUS"
    refuse 2 "no such option" "$BGPT" "$verb" --nonsense
done
expect 0 "$BGPT" --man
prints ".SH COMMANDS"

# What a resumed run promises, and what not, is in the help.
expect 0 "$BGPT" --man train
prints "exact (the same bits) for runs limited by"
prints "the cosine follows the clock"
prints "With \-\-time alone the rate follows the clock"
refuse 2 "did you mean --precision?" "$BGPT" version --precison fp32

# Numbers: not one, too small, too large.
refuse 2 "--threads: 0 is less than 1" "$BGPT" version -t 0
refuse 2 "--threads: 10000 is more than 256" "$BGPT" version -t 10000
refuse 2 "--threads: -1 is less than 1" "$BGPT" version --threads=-1
refuse 2 "--threads: not a whole number: x" "$BGPT" version --threads x
refuse 2 "--threads: not a whole number: 1.5" "$BGPT" version --threads 1.5
refuse 2 "--seed: 99999999999999999999 is too large" "$BGPT" version --seed 99999999999999999999
refuse 2 "--precision: half is not one of fast|fp32" "$BGPT" version --precision half
refuse 2 "--format: xml is not one of text|json" "$BGPT" version --format=xml
refuse 2 "a value is missing" "$BGPT" version --seed
refuse 2 "--lr: not a number: x" "$BGPT" train d --out r --lr x
refuse 2 "--lr: not a number: nan" "$BGPT" train d --out r --lr nan
refuse 2 "--lr: 0 is less than" "$BGPT" train d --out r --lr 0
refuse 2 "--lr: -1 is less than" "$BGPT" train d --out r --lr -1
refuse 2 "--dropout: 1 is more than" "$BGPT" train d --out r --dropout 1
refuse 2 "--batch: 0 is less than 1" "$BGPT" train d --out r --batch 0
refuse 2 "--batch: 4097 is more than 4096" "$BGPT" eval -m "$MODEL" --batch 4097 "$TUNE"
refuse 2 "--hidden: 100 is not a multiple of 64" "$BGPT" train d --out r --hidden 100
for time in x 5x 3m2h 2h30 -5m "1 m" ""; do
    refuse 2 "--time: not a duration" "$BGPT" train d --out r --time "$time"
done
refuse 2 "--max-bytes: not a whole number: 4q" "$BGPT" generate -m "$MODEL" --ext abc --max-bytes 4q
refuse 2 "--top-p: 2 is more than 1" "$BGPT" generate -m "$MODEL" --ext abc --top-p 2
refuse 2 "--temperature: 0 is less than" "$BGPT" generate -m "$MODEL" --ext abc --temperature 0

# What is missing, what does not go together.
refuse 2 "--out RUN is missing" "$BGPT" train d
refuse 2 "a folder is written" "$BGPT" train d --out -
refuse 2 "a folder is written" "$BGPT" prepare text d -o -
refuse 2 "DATA is missing" "$BGPT" train --out r
refuse 2 "only one can be meant" "$BGPT" train d --out r --resume -f
refuse 2 "--classify and --pairs" "$BGPT" train d --out r --classify --pairs abc:mid
refuse 2 "--pairs is missing" "$BGPT" train d --out r --loss target
refuse 2 "--init takes the shape" "$BGPT" train d --out r --init "$MODEL" --hidden 64
refuse 2 "--init takes the shape" "$BGPT" train d --out r --init "$MODEL" --previous none
refuse 2 "--meta: not KEY=VALUE" "$BGPT" train d --out r --meta nonsense
refuse 2 "there is no size" "$BGPT" train d --out r --size enormous-2
missing r
refuse 2 "DATA is missing" "$BGPT" eval -m "$MODEL"
refuse 2 "-m MODEL is missing" "$BGPT" eval d
refuse 2 "-m MODEL is missing" "$BGPT" generate --ext abc
refuse 2 "-m MODEL is missing" "$BGPT" convert a.abc b.mid
refuse 2 "-m MODEL is missing" "$BGPT" classify a.txt
refuse 2 "--ext EXT is missing" "$BGPT" generate -m "$MODEL"
refuse 2 "give their folder" "$BGPT" generate -m "$MODEL" --ext abc -n 2
refuse 2 "needs standard output for itself" "$BGPT" generate -m "$MODEL" --ext abc --format=json
refuse 2 "--top-k cannot be given as well" "$BGPT" generate -m "$MODEL" --ext abc --greedy --top-k 5
refuse 2 "IN or OUT is missing" "$BGPT" convert -m "$MODEL" one.abc
refuse 2 "MODEL is missing" "$BGPT" info
refuse 2 "one argument too many" "$BGPT" info a b
refuse 2 "IN or OUT is missing" "$BGPT" import a
expect 0 "$BGPT" train --size list
prints "million parameters"
