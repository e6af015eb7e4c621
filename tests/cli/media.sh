# Pictures and sounds: heat maps, confusion matrices, sheets and rows of what
# was generated, conversions beside the programs that do them by rule.

mkdir -p pictures-and-sounds # other parts have files of the same names
cd pictures-and-sounds || exit 2
shape="--hidden 64 --patch-layers 1 --byte-layers 1 --patches 48 --patch-size 8 --batch 2 --lr 3e-3 --schedule constant"

bytes() { # FILE FIRST COUNT: decimal numbers, big end first put together
    od -An -tu1 -j "$2" -N "$3" "$1" | awk '{ for (i = 1; i <= NF; i++) n = n * 256 + $i } END { print n + 0 }'
}

# png FILE WIDTH HEIGHT: a PNG of this size; "-" for any.
png() {
    checks=$((checks + 1))
    if [ "$(od -An -tx1 -N 8 "$1" 2>/dev/null | tr -d ' ')" != 89504e470d0a1a0a ]; then
        wrong "$1 is no PNG"
    elif [ "$2" != - ] && [ "$(bytes "$1" 16 4) $(bytes "$1" 20 4)" != "$2 $3" ]; then
        wrong "$1 has $(bytes "$1" 16 4) by $(bytes "$1" 20 4) points instead of $2 by $3"
    fi
}

# wave FILE BYTES: the plain header before so many bytes of samples.
wave() {
    checks=$((checks + 1))
    size=$(wc -c <"$1")
    said=$(od -An -tu4 -j 40 -N 4 "$1" | tr -d ' ')
    [ "$(head -c 4 "$1")$(tail -c +9 "$1" | head -c 8)$(tail -c +37 "$1" | head -c 4)" = "RIFFWAVEfmt data" ] || wrong "$1 has not the plain header"
    [ "$said" = "$2" ] && [ "$size" = $((44 + $2 + $2 % 2)) ] || wrong "$1: $said bytes of samples in $size instead of $2"
}

# --- heat maps ------------------------------------------------------------------

cp "$TUNE" tune.abc
size=$(wc -c <tune.abc)
expect 0 "$BGPT" inspect -q -m "$MODEL" tune.abc -o heat.png
silent
png heat.png 1052 $((100 + 22 * ((size + 15) / 16) + 16))
refuse 2 "heat.png exists already" "$BGPT" inspect -m "$MODEL" tune.abc -o heat.png
expect 0 "$BGPT" inspect -f -m "$MODEL" tune.abc -o heat.png --from 16 --length 40
says "bytes 16 to 56 of $size are shown"
png heat.png 1052 $((100 + 22 * 3 + 16))
: >empty.abc
expect 0 "$BGPT" inspect -q -m "$MODEL" empty.abc -o none.png
png none.png - -
head -c 17000 /dev/zero >zero.abc
expect 0 "$BGPT" inspect -q -m "$MODEL" zero.abc -o zero.png
png zero.png 920 $((100 + 12 * ((17000 + 63) / 64) + 16))
[ ! -c /dev/full ] || { ln -sf /dev/full full.png; refuse 5 "full.png" "$BGPT" inspect -q -f -m "$MODEL" tune.abc -o full.png; }

# --- confusion matrices -----------------------------------------------------------

mkdir -p labelled
for i in 1 2 3 4; do
    printf 'aaaaaaaaaaaaaaaa%d' $i >labelled/low_$i.txt
    printf 'zzzzzzzzzzzzzzzz%d' $i >labelled/high,odd_$i.txt
done
# shellcheck disable=SC2086 # $shape is meant to be split
expect 0 "$BGPT" train $shape labelled --classify --steps 40 --out sorter -q
expect 0 "$BGPT" eval -q -m sorter/model.safetensors labelled --confusion c.csv --confusion c.png
prints "accuracy 1.0000, macro F1 1.0000"
prints "mean confidence 0.9"
prints "expected calibration error 0.0"
png c.png - -
checks=$((checks + 1))
printf 'true \\ predicted,"high,odd.txt",low.txt\n"high,odd.txt",4,0\nlow.txt,0,4\n' | cmp -s - c.csv || wrong "c.csv is not what it should be"
# One file under the wrong label: seen in every figure.
mkdir -p mixed
cp labelled/low_1.txt labelled/low_2.txt labelled/low_3.txt mixed
cp labelled/low_4.txt "mixed/high,odd_9.txt"
expect 0 "$BGPT" eval -q --format=json -m sorter/model.safetensors mixed
json calibration calibration_error mean_confidence confidence macro_f1
prints '"accuracy": 0.75'
prints '"calibration_error": 0.2' # the model is sure of all four, and wrong of one
refuse 2 "c.csv exists already" "$BGPT" eval -m sorter/model.safetensors labelled --confusion c.csv
refuse 2 ".csv or .png" "$BGPT" eval -m sorter/model.safetensors labelled --confusion c.svg
refuse 2 "is not a classifier" "$BGPT" eval -q -m "$MODEL" labelled --confusion d.csv
cp labelled/low_1.txt low_1.csv
refuse 2 "would replace the scored file" "$BGPT" eval -f -m sorter/model.safetensors low_1.csv --confusion low_1.csv
missing d.csv

# --- sheets and rows: a model that knows one picture and one sound by heart ----------

mkdir -p media
{ printf 'BM\106\0\0\0\0\0\0\0\066\0\0\0\050\0\0\0\002\0\0\0\002\0\0\0\001\0\030\0\0\0\0\0\020\0\0\0'
  printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
  printf '\377\0\0\0\377\0\0\0\0\0\377\377\377\377\0\0'; } >media/x.bmp
{ printf 'RIFF\105\0\0\0WAVEfmt \020\0\0\0\001\0\001\0\100\037\0\0\100\037\0\0\001\0\010\0data\041\0\0\0'
  printf '\200\220\240\260\300\260\240\220\200\160\140\120\100\120\140\160\200\220\240\260\300\260\240\220\200\160\140\120\100\120\140\160\200\0'; } >media/x.wav
# shellcheck disable=SC2086
expect 0 "$BGPT" train $shape media --steps 250 --out knows -q
knows="-m knows/model.safetensors --greedy"
# shellcheck disable=SC2086
{
    expect 0 "$BGPT" generate $knows --ext bmp -n 5 -o pictures --show sheet.png
    says "sheet.png: 5 pictures, 0 of them cannot be read"
    same_file pictures/0005.bmp media/x.bmp
    png sheet.png $((6 + 3 * 70)) $((6 + 2 * 82))
    expect 0 "$BGPT" generate $knows --ext bmp --max-bytes 60 -o torn.bmp --show torn.png
    says "torn.bmp: cannot be shown: it has fewer pixels than its header says"
    says "torn.png: 1 pictures, 1 of them cannot be read"
    png torn.png 76 88
    expect 0 "$BGPT" generate $knows --ext wav -n 3 -o sounds --show row.wav
    says "row.wav: 3 sounds, 0.6 seconds; 0 could not be shown"
    same_file sounds/0003.wav media/x.wav
    wave row.wav $((3 * 33 + 2 * 2400)) # 0.3 seconds between
    expect 0 "$BGPT" generate -q $knows --ext wav --max-bytes 50 -o short.wav --show short-row.wav # cut in its samples
    wave short-row.wav 6
    expect 1 "$BGPT" generate $knows --ext wav --max-bytes 40 -o none.wav --show none-row.wav
    says "none-row.wav: there is nothing to show"
    missing none-row.wav
    refuse 2 "row.wav exists already" "$BGPT" generate $knows --ext wav -o y.wav --show row.wav
    refuse 2 "ends in .png" "$BGPT" generate $knows --ext bmp -o y.bmp --show y.wav
    refuse 2 "not txt" "$BGPT" generate -m "$MODEL" --ext txt -o y.txt --show y.png
    expect 2 "$BGPT" generate -q -f $knows --ext wav -o y.wav --show ./y.wav
    says "would replace the file of that name"
    same_file y.wav media/x.wav
    cp knows/model.safetensors knows.png
    refuse 2 "would replace the model" "$BGPT" generate -f -m knows.png --greedy --ext bmp -o y.bmp --show knows.png
}

# --- tunes ------------------------------------------------------------------------

mkdir -p temporary
TMPDIR=$PWD/temporary
export TMPDIR
if command -v abc2midi >"$WORK/stdout" && command -v fluidsynth >"$WORK/stdout" && [ -r /usr/share/sounds/sf2/TimGM6mb.sf2 ]; then
    mkdir -p pairs
    printf 'X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GEC2|\n' >pairs/a.abc
    abc2midi pairs/a.abc -o pairs/a.mid >"$WORK/stdout" 2>&1
    # shellcheck disable=SC2086
    expect 0 "$BGPT" train $shape pairs --pairs abc+mid --loss target --steps 250 --out pairing
    says "bgpt eval -m pairing/model.safetensors --pairs abc:mid DATA..."
    pairing="-m pairing/model.safetensors"
    # shellcheck disable=SC2086
    {
        expect 0 "$BGPT" convert -q $pairing pairs/a.abc made.mid --check --show made.wav
        silent
        prints "made.mid: byte-exact, valid, 2 of 2 bars equal; of 7 notes 7 right, 0 wrong, 0 missing; 0 extra"
        prints "in all (1): 1 byte-exact, 1 valid, 2 of 2 bars equal"
        same_file made.mid pairs/a.mid
        wave made.wav "$(od -An -tu4 -j 40 -N 4 made.wav | tr -d ' ')"
        checks=$((checks + 1))
        [ "$(wc -c <made.wav)" -gt 300000 ] || wrong "made.wav is shorter than the tune" # two bars at 120 a minute are 4 seconds
        expect 0 "$BGPT" generate $pairing --ext abc --max-bytes 8 -o alone.abc
        says "was trained to convert abc+mid"
        # The same model given another tune writes the one that it knows: differences by bar.
        sed 's/GEC2/AEC2/' pairs/a.abc >other.abc
        expect 0 "$BGPT" convert -q $pairing other.abc other.mid --check
        prints "other.mid: bar 2: of 3 notes 1 wrong, 0 missing; 0 extra"
        prints "other.mid: not byte-exact, valid, 1 of 2 bars equal; of 7 notes 6 right"
        expect 0 "$BGPT" convert -q $pairing pairs/a.mid made.abc --check
        prints "made.abc: not byte-exact, valid, 2 of 2 bars equal"
        prints "(midi2abc: 2 bars)"
        same_file made.abc pairs/a.abc
        expect 0 "$BGPT" convert -q -f $pairing pairs/a.abc made.mid --check --max-bytes 90
        prints "made.mid: not byte-exact, not valid"
        expect 0 "$BGPT" convert -q -f --format=json $pairing other.abc made.mid --check
        json check different bars_equal exact
        prints '"wrong": 1'
        expect 0 "$BGPT" generate -q $pairing --ext abc --greedy --prompt pairs/a.abc -n 2 -o tunes --show tunes.wav
        wave tunes.wav "$(od -An -tu4 -j 40 -N 4 tunes.wav | tr -d ' ')"
        printf 'no tune' >no.abc
        expect 0 "$BGPT" convert $pairing no.abc no.mid --check
        says "no.mid: cannot be checked: its input: abc2midi makes nothing of it"
        says "1 files could not be checked"
        refuse 2 "--check needs standard output" "$BGPT" convert $pairing pairs/a.abc - --to mid --check -f
        mkdir -p no-programs
        refuse 1 "abc2midi is not installed (Debian package abcmidi)" env PATH="$PWD/no-programs" "$BGPT" convert $pairing pairs/a.abc none.mid --check
        refuse 1 "fluidsynth is not installed (Debian package fluidsynth)" env PATH="$PWD/no-programs" "$BGPT" generate $pairing --ext mid -o none.mid --show never.wav
        missing none.mid
        # A program that never ends, one that fills the disk, one that says nothing and makes nothing.
        mkdir -p odd
        printf '#!/bin/sh\n[ "$1" = -ver ] || exec /usr/bin/head -c 100000000 /dev/zero >"$3"\n' >odd/abc2midi
        chmod +x odd/abc2midi
        expect 0 env PATH="$PWD/odd:$PATH" "$BGPT" convert -f $pairing pairs/a.abc made.mid --check
        says "abc2midi wrote more than 4194304 bytes"
        printf '#!/bin/sh\n[ "$1" = -ver ] || { echo "out of tune"; exit 3; }\n' >odd/abc2midi
        expect 0 env PATH="$PWD/odd:$PATH" "$BGPT" convert -f $pairing pairs/a.abc made.mid --check
        says "abc2midi ended with code 3: out of tune"
    }
else
    echo "media: SKIPPED: abc2midi, fluidsynth or its sound font is not here"
fi
checks=$((checks + 1))
[ -z "$(ls -A temporary)" ] || wrong "left behind: $(ls -A temporary | head -n 1)"
unset TMPDIR
refuse 2 "not those to txt" "$BGPT" convert -m "$MODEL" tune.abc x.txt --check

# --- TensorBoard and patience ---------------------------------------------------------

events() { find events -name 'events.out.tfevents.*.bgpt.*' | wc -l; }
# shellcheck disable=SC2086
{
    expect 0 "$BGPT" train $shape labelled --val labelled --steps 3 --out run --tensorboard events -q
    checks=$((checks + 1))
    [ "$(events)" = 1 ] || wrong "$(events) event files instead of one"
    for tag in brain.Event:2 train/loss train/learning_rate train/gradient_norm held_out/loss held_out/bits_per_byte; do
        checks=$((checks + 1))
        grep -qF "$tag" events/* || wrong "no $tag in the event file"
    done
    expect 0 "$BGPT" train --resume --out run --tensorboard events -q # finished: nothing to tell
    checks=$((checks + 1))
    [ "$(events)" = 1 ] || wrong "a finished run made an event file"
    refuse 5 "tune.abc" "$BGPT" train $shape labelled --steps 1 --out run2 --tensorboard tune.abc -q
    expect 0 "$BGPT" train $shape labelled --val labelled --lr 0.1 --steps 300 --eval-every 1 --patience 3 --out patient
    says "for 3 in a row"
    checks=$((checks + 1))
    steps=$(wc -l <patient/log.jsonl)
    [ "$steps" -lt 300 ] || wrong "patience did not end the run"
    expect 0 "$BGPT" train --resume --out patient
    says "is finished"
    checks=$((checks + 1))
    [ "$(wc -l <patient/log.jsonl)" = "$steps" ] || wrong "a run out of patience went on"
    refuse 2 "--val is missing" "$BGPT" train $shape labelled --patience 3 --out none
}
no_leftovers "$WORK"
cd "$WORK" || exit 2
