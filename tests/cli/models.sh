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
share byte_accuracy 0.99
share state_exact 0.9
expect 0 "$BGPT" cpu evaluate -q --format=json -m "$SHIPPED/cpu.safetensors" --count 10 --min 40 --max 60 --seed 123
share byte_accuracy 0.98
