# Files that are missing, wrong, in the way, or cannot be written.  No input
# may be lost and nothing half-written may stay.

refuse 3 "no-such-model" "$BGPT" info no-such-model
refuse 3 "no-such-model" "$BGPT" generate -q -m no-such-model --ext abc -o x.abc
refuse 3 "no-such-data" "$BGPT" eval -q --format=json -m "$MODEL" no-such-data
refuse 3 "no-such-data" "$BGPT" train no-such-data --out r -q
mkdir -p empty
refuse 3 "empty" "$BGPT" eval -q --format=json -m "$MODEL" empty
refuse 3 "empty" "$BGPT" train empty --out r -q
refuse 3 "no-such-prompt" "$BGPT" generate -q -m "$MODEL" --ext abc --prompt no-such-prompt -o x.abc
missing x.abc

# Not a model: text, nothing, a folder, one cut short.
echo "X:1" >text.abc
: >nothing
head -c 100000 "$MODEL" >cut.safetensors
for file in text.abc nothing empty cut.safetensors; do
    refuse 3 "$file" "$BGPT" info "$file"
done
refuse 3 "$TUNE" "$BGPT" import "$TUNE" imported.safetensors
missing imported.safetensors

# What is in the way stays, unless -f says otherwise.
echo "mine" >kept
cp kept copy
refuse 2 "kept" "$BGPT" generate -q -m "$MODEL" --ext abc -o kept
same_file kept copy
refuse 2 "kept" "$BGPT" convert -q -m "$MODEL" "$TUNE" kept --to mid
same_file kept copy
refuse 2 "kept" "$BGPT" import "$FIXTURES/model.pth" kept
same_file kept copy
refuse 2 "kept" "$BGPT" export "$MODEL" kept
same_file kept copy
cp "$MODEL" model.copy
refuse 2 "would replace the input" "$BGPT" export -f model.copy model.copy
expect 0 "$BGPT" export "$MODEL" half.safetensors
[ "$(wc -c <half.safetensors)" -lt $(($(wc -c <"$MODEL") * 6 / 10)) ] || wrong "not half the size"
expect 0 "$BGPT" info --check half.safetensors
same_file model.copy "$MODEL"
expect 0 "$BGPT" average "$MODEL" model.copy --shares 1,3 -o mean.safetensors
expect 0 "$BGPT" info --check mean.safetensors
expect 0 "$BGPT" eval -q -m mean.safetensors "$TUNE"
cp "$WORK/stdout" mean.score
expect 0 "$BGPT" eval -q -m "$MODEL" "$TUNE"
same_file "$WORK/stdout" mean.score
refuse 2 "for each of the 2 models" "$BGPT" average "$MODEL" model.copy --shares 1 -o none
refuse 2 "commas between" "$BGPT" average "$MODEL" model.copy --shares 1,x -o none
refuse 2 "are 0" "$BGPT" average "$MODEL" model.copy --shares 0,0 -o none
refuse 2 "-o FILE is missing" "$BGPT" average "$MODEL" model.copy
refuse 2 "would replace the input" "$BGPT" average -f "$MODEL" model.copy -o model.copy
refuse 2 "kept" "$BGPT" average "$MODEL" model.copy -o kept
refuse 2 "names none" "$BGPT" average "$MODEL" model.copy -o ""
refuse 2 "names none" "$BGPT" export "$MODEL" -
refuse 3 "$TUNE" "$BGPT" average "$MODEL" "$TUNE" -o none
missing none
mkdir -p taken
cp kept taken/0002.abc
refuse 2 "0002.abc" "$BGPT" generate -q -m "$MODEL" --ext abc -n 3 -o taken
same_file kept taken/0002.abc
missing taken/0001.abc

# An output that is an input, under its own name or another.
cp "$TUNE" tune.abc
ln -sf tune.abc link.mid
refuse 2 "would replace an input" "$BGPT" convert -q -f -m "$MODEL" tune.abc tune.abc
refuse 2 "would replace an input" "$BGPT" convert -q -f -m "$MODEL" tune.abc link.mid
refuse 2 "would replace the prompt" "$BGPT" generate -q -f -m "$MODEL" --prompt tune.abc -o tune.abc
same_file tune.abc "$TUNE"
cp tune.abc tune.txt
refuse 2 "would be written twice" "$BGPT" convert -q -m "$MODEL" tune.abc tune.txt --to mid out
rm -f link.mid tune.txt
# With -n, and into a folder that is there, the names to be written count.
mkdir -p prompts
cp "$TUNE" prompts/0001.abc
for words in "-n 2" ""; do
    # shellcheck disable=SC2086 # the words are meant to be split
    refuse 2 "prompts/0001.abc: the output would replace the prompt" "$BGPT" generate -q -f -m "$MODEL" --max-bytes 8 $words -o prompts --prompt prompts/0001.abc
done
ln -sf ../tune.abc prompts/0002.abc
refuse 2 "prompts/0002.abc: the output would replace the prompt" "$BGPT" generate -q -f -m "$MODEL" --max-bytes 8 -n 3 -o prompts --prompt tune.abc
same_file prompts/0001.abc "$TUNE"
missing prompts/0003.abc
# shellcheck disable=SC2016 # the inner shell expands it
refuse 2 "would replace the prompt" sh -c '"$@" <tune.abc' sh "$BGPT" generate -q -f -m "$MODEL" --max-bytes 8 --prompt - --ext abc -o tune.abc
# shellcheck disable=SC2016
refuse 2 "would replace an input" sh -c '"$@" <tune.abc' sh "$BGPT" convert -q -f -m "$MODEL" --max-bytes 8 --from abc --to mid - tune.abc
same_file tune.abc "$TUNE"

# An output that is the model, under its own name or another, with -f or without.
ln -sf model.copy soft.safetensors
ln -f model.copy hard.safetensors
mkdir -p models
ln -sf ../model.copy models/0002.safetensors
ln -sf ../model.copy models/tune.mid
for name in model.copy soft.safetensors hard.safetensors; do
    for force in -q -f; do
        refuse 2 "$name: the output would replace the model" "$BGPT" generate -q $force -m model.copy --ext safetensors --max-bytes 8 -o $name
        refuse 2 "$name: the output would replace the model" "$BGPT" convert -q $force -m model.copy --to mid --max-bytes 8 tune.abc $name
    done
done
refuse 2 "would replace the model" "$BGPT" generate -q -f -m soft.safetensors --ext safetensors --max-bytes 8 -o hard.safetensors
refuse 2 "0002.safetensors: the output would replace the model" "$BGPT" generate -q -f -m model.copy --ext safetensors --max-bytes 8 -n 2 -o models
missing models/0001.safetensors
refuse 2 "models/tune.mid: the output would replace the model" "$BGPT" convert -q -f -m model.copy --to mid --max-bytes 8 tune.abc models
same_file model.copy "$MODEL"
rm -rf prompts models soft.safetensors hard.safetensors
refuse 2 "many inputs need a folder" "$BGPT" convert -q -m "$MODEL" tune.abc text.abc kept --to mid
refuse 2 "--to EXT is missing" "$BGPT" convert -q -m "$MODEL" tune.abc text.abc out
refuse 2 "give --from EXT" "$BGPT" convert -q -m "$MODEL" nothing out.mid

# Outputs that cannot be written.
refuse 5 "no-such-folder" "$BGPT" generate -q -m "$MODEL" --ext abc --max-bytes 8 -o no-such-folder/x.abc
if [ -c /dev/full ]; then
    refuse 5 "/dev/full" "$BGPT" generate -q -m "$MODEL" --ext abc --prompt tune.abc --max-bytes 8 -f -o /dev/full
    for words in "version" "help" "train -h" "--man" "info $MODEL" "eval -m $MODEL $TUNE" "eval --format=json -m $MODEL $TUNE"; do
        # shellcheck disable=SC2086 # the words are meant to be split
        expect 5 sh -c '"$@" >/dev/full' sh "$BGPT" $words
        says "standard output: No space left on device"
    done
    expect 5 sh -c '"$@" >/dev/full' sh "$BGPT" generate -m "$MODEL" --prompt tune.abc --max-bytes 8
    says "standard output: No space left on device"
fi
expect 5 sh -c '"$@" >&-' sh "$BGPT" version

# A reader who leaves ends the program quietly.
# shellcheck disable=SC2016 # the inner shell expands it
run sh -c '"$1" --man train | true' sh "$BGPT"
silent
no_leftovers "$WORK"
