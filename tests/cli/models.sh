# The models that are shipped: whole, small enough, each with a card, and as good as the card says by a sample.

SHIPPED=$here/../../models

for model in "$SHIPPED"/*.safetensors; do
    checks=$((checks + 3))
    [ -f "$model" ] || wrong "no model is shipped"
    [ -s "${model%.safetensors}.md" ] || wrong "$model has no card"
    [ "$(wc -c <"$model")" -le 25000000 ] || wrong "$model is larger than 25 MB"
    expect 0 "$BGPT" info --check "$model"
    prints licence
done

# share NAME LEAST: this figure of the JSON in stdout is at least so much.
share() {
    checks=$((checks + 1))
    awk -v name="\"$1\":" -v least="$2" '$1 == name { found = 1; good = $2 + 0 >= least } END { exit !(found && good) }' "$WORK/stdout" ||
        wrong "$1 is below $2: $(grep "\"$1\"" "$WORK/stdout")"
}

# seeds that neither training nor the card's figures used
expect 0 "$BGPT" cpu evaluate -q --format=json -m "$SHIPPED/cpu.safetensors" --count 60 --max 16 --seed 123
share byte_accuracy 0.995
share state_exact 0.9
expect 0 "$BGPT" cpu evaluate -q --format=json -m "$SHIPPED/cpu.safetensors" --count 10 --min 40 --max 60 --seed 123
share byte_accuracy 0.98

# One program after the other: trace and evaluate find as many states right, and a state that is not right is marked.
expect 0 "$BGPT" cpu generate -q --count 12 --test 12 --seed 124 --min 3 --max 16 --out traced
for program in traced/test/*.bin "$here"/../../examples/cpu/*.asm; do
    expect 0 "$BGPT" cpu evaluate -m "$SHIPPED/cpu.safetensors" "$program"
    exact=$(sed -n 's/^states exact .*(\([0-9]* of [0-9]*\)).*/\1/p' "$WORK/stdout")
    expect 0 "$BGPT" cpu trace -q -m "$SHIPPED/cpu.safetensors" "$program"
    prints "${exact:-no} states are the machine's"
    checks=$((checks + 1))
    marked=$(grep -c '!' "$WORK/stdout")
    [ "$((${exact% of *} < ${exact#* of }))" = "$((marked > 0))" ] || wrong "$exact states right and $marked rows marked"
done
# large quotients, the last of the programs above, are wrong in part: what was found beside what is right
expect 0 "$BGPT" cpu trace --format=json -m "$SHIPPED/cpu.safetensors" "$here/../../examples/cpu/divide.asm"
json states states_made states_right
tr -d ' \n' <"$WORK/stdout" | grep -q '"wrong":{.*"F":\[[0-9]*,22\]' || wrong "250 / 11 is not told to be 22"

# irish: a tune in one form costs less than its MIDI by itself would, and is followed for some bars
if command -v abc2midi >/dev/null; then
    expect 0 "$BGPT" prepare music "$here/../../examples/tunes/val/airds-1089.abc" --validation 100 -o irish-tune -q
    expect 0 "$BGPT" eval -q --format=json -m "$SHIPPED/irish.safetensors" --pairs abc:mid irish-tune/validation
    checks=$((checks + 1))
    tr -d ' \n' <"$WORK/stdout" | sed -n 's/.*"bits_per_byte":\([0-9.]*\).*/\1/p' | awk '{ found = 1; good = $1 < 0.05 } END { exit !(found && good) }' || wrong "more than 0.05 bits a byte: $(cat "$WORK/stdout")"
    expect 0 "$BGPT" convert -m "$SHIPPED/irish.safetensors" irish-tune/validation/airds-1089.abc irish-tune.mid --check
    expect 0 "$BGPT" convert -m "$SHIPPED/irish.safetensors" irish-tune/validation/airds-1089.abc irish-mended.mid --check --repair
    grep -q 'byte-exact, valid' "$WORK/stdout" || wrong "repaired, and not valid: $(cat "$WORK/stdout")"
    checks=$((checks + 1))
    [ "$(sed -n 's/^in all .* notes \([0-9]*\) right.*/\1/p' "$WORK/stdout")" -ge 100 ] || wrong "fewer than 100 of 141 notes right: $(tail -n 1 "$WORK/stdout")"
fi

# digits: of the ten clips, nine at least, where recordings can be read
if "$BGPT" prepare audio "$here/../../examples/digits" -o digits -q 2>"$WORK/stderr" || ! grep -q libsndfile "$WORK/stderr"; then
    expect 0 "$BGPT" classify -q -m "$SHIPPED/digits.safetensors" "$here"/../../examples/digits/*.wav
    checks=$((checks + 1))
    right=$(sed -n 's|.*/\([0-9]\)_[0-9]*\.wav: \1\.wav .*|&|p' "$WORK/stdout" | wc -l)
    [ "$right" -ge 9 ] || wrong "$right of ten digits right"
    # the same, softer and with silence around them
    expect 0 env BGPT="$BGPT" "$here/../../bench/digits" "$SHIPPED/digits.safetensors" "$here/../../examples/digits"
    checks=$((checks + 1))
    [ "$(grep -c ': \(9\|10\) of 10$' "$WORK/stdout")" = 5 ] || wrong "fewer than nine of ten digits right: $(cat "$WORK/stdout")"
fi
