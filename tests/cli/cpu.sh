# The simulated processor: programs made, run, assembled, translated, traced, judged.

states=$FIXTURES/../cpu
file=$states/e9ac1a82844add142b32699bb81af30f

refuse 2 "cpu needs one of these behind it: generate, run" "$BGPT" cpu
refuse 2 "cpu needs one of these behind it" "$BGPT" cpu nonsense
for verb in generate run assemble translate trace evaluate; do
    expect 0 "$BGPT" cpu $verb -h
    prints "usage: bgpt cpu $verb"
    expect 0 "$BGPT" --man cpu $verb
    prints "BGPT-CPU-"
done

# The published program's files: its text, and its bytes from our listing.
# With all thirty where they are at hand.
judged=0
for folder in "$states" "$here/../../../shared/reference/cpu"; do
    for bin in "$folder"/*.bin; do
        [ -e "$bin" ] || continue
        judged=$((judged + 1))
        expect 0 "$BGPT" cpu translate --reference "$bin" -f -o published.txt
        same_file published.txt "${bin%.bin}.txt"
        expect 0 "$BGPT" cpu translate "$bin" -f -o listing.asm
        expect 0 "$BGPT" cpu run listing.asm -f -o again.bin
        same_file again.bin "$bin"
        expect 0 "$BGPT" cpu run "$bin" -f -o again.bin
        same_file again.bin "$bin"
    done
done
checks=$((checks + 1))
[ $judged = 3 ] || [ $judged = 33 ] || wrong "$judged files of the published program instead of 3 or 33"
[ $judged = 33 ] || echo "cpu: SKIPPED: 30 files of the published program are not here"

# A small program through every verb.
cat >sum.asm <<'END'
; A = 200 + 100, which stays at 255
.start A=200 B=100
ADD A B     # saturates
LOADI 7
MUL A
HLT
END
expect 0 "$BGPT" cpu run sum.asm
silent
prints "   2    2    0  LOADI 7           255 100"
prints "   4    4  255  HLT               255 100"
expect 0 "$BGPT" cpu run --format=json sum.asm
json file states step PC ACC IR A J
# shellcheck disable=SC2016 # the inner shell expands it
expect 0 sh -c '"$1" cpu run - <sum.asm' sh "$BGPT"
prints "MUL A"
expect 0 "$BGPT" cpu assemble sum.asm -o sum.bin
says "sum.bin: 1104 bytes, 5 states"
expect 0 "$BGPT" cpu assemble -q sum.asm --memory-only -o sum.mem
head -c 1024 sum.bin >memory
same_file memory sum.mem
expect 0 "$BGPT" cpu translate sum.bin
prints ".start ACC=0 A=200 B=100 C=0"
prints "; step   PC"
expect 0 "$BGPT" cpu translate --format=json sum.bin
json file program states
expect 0 "$BGPT" cpu trace sum.asm
silent
prints "   1   0  ADD A B              0 *255  100"
prints "   3   2  MUL A             *255  255"
if grep -q "$(printf '\033')" "$WORK/stdout"; then wrong "colours where nobody sees them"; fi
expect 0 "$BGPT" cpu trace --steps 2 sum.asm
says "2 of 4 instructions shown"
expect 0 "$BGPT" cpu trace --format=json sum.bin
json file start steps changed instruction
if command -v script >"$WORK/stdout"; then # a terminal of its own
    expect 0 env TERM=xterm script -qec "$BGPT cpu trace sum.asm" typescript
    prints "$(printf '\033[1;33m 255')"
    expect 0 env TERM=xterm NO_COLOR=1 script -qec "$BGPT cpu trace sum.asm" typescript
    prints "*255"
fi

# Judging: all files, true means.
mkdir -p judged
cp "$states"/*.bin sum.bin judged
cp "$file.txt" judged # none of ours
expect 0 "$BGPT" cpu evaluate --format=json judged
json files byte_accuracy state_exact file_exact trivial_byte_accuracy
prints '"files": 4'
prints '"byte_accuracy": 1.0'
prints '"file_exact": 1.0'
head -c 1088 sum.bin >judged/sum.bin # the last of four states is not there
expect 0 "$BGPT" cpu evaluate -v judged
prints "files exact     75.0000 %  (3 of 4)"
says "sum.bin: step 4: the states end here"
{ head -c 1057 sum.bin; printf '\011'; tail -c +1059 sum.bin; } >judged/sum.bin
expect 0 "$BGPT" cpu evaluate -v --format=json judged/sum.bin
says "step 2: ACC 9 instead of 0" # a silent slip here would be a wrong offset
prints '"byte_accuracy": 0.984375'
prints '"state_exact": 0.75'
prints '"file_exact": 0.0'
prints '"step": 2'

# What cannot be judged is named and not counted.
head -c 1100 sum.bin >judged/torn.bin
refuse 3 "torn.bin: 1100 bytes are not 1024 of memory and whole states of 16: 12 too many" "$BGPT" cpu run judged/torn.bin
refuse 3 "torn.bin" "$BGPT" cpu translate judged/torn.bin
expect 3 "$BGPT" cpu evaluate judged
says "torn.bin: 1100 bytes"
says "1 files could not be judged"
prints "(3 of 4)"
mkdir -p nobin
cp sum.asm nobin
refuse 3 "nobin: no .bin file in it" "$BGPT" cpu evaluate nobin
refuse 3 "nowhere" "$BGPT" cpu evaluate nowhere

# Wrong programs: one sentence with the line.
assembly_refused() {
    printf "$1" >wrong.asm # the format is the text, with its \n
    refuse 3 "$2" "$BGPT" cpu assemble wrong.asm -o wrong.bin
    missing wrong.bin
}
assembly_refused 'INC\nJUMP A\n' "wrong.asm:2: JUMP is no instruction"
assembly_refused 'INC K\n' "wrong.asm:1: K is no register (A to J are)"
assembly_refused '\n\nLOADI 300\n' "wrong.asm:3: LOADI takes a number from 0 to 255, not 300"
assembly_refused 'ADD\n' "wrong.asm:1: ADD takes 1 to 3 registers, not 0"
assembly_refused '' "wrong.asm: no instruction in it"
assembly_refused '.byte 77 0 0 0\n' "wrong.asm: instruction 0 (byte 0): opcode 77 is unknown"
seq 256 | sed 's/.*/INC A/' >endless.asm
refuse 3 "endless.asm: never halts" "$BGPT" cpu run endless.asm
expect 0 "$BGPT" cpu assemble -q --memory-only endless.asm -o endless.mem
echo "HLT" >>endless.asm
refuse 3 "endless.asm:257: more than 256 instructions" "$BGPT" cpu run endless.asm
refuse 3 "no-such.asm" "$BGPT" cpu trace no-such.asm

# Outputs.
refuse 2 "-o FILE is missing" "$BGPT" cpu assemble sum.asm
refuse 2 "sum.bin exists already" "$BGPT" cpu assemble sum.asm -o sum.bin
refuse 2 "would replace the input" "$BGPT" cpu run -f sum.bin -o sum.bin
refuse 2 "cannot both have standard output" "$BGPT" cpu run --format=json sum.asm -o -
[ ! -c /dev/full ] || refuse 5 "/dev/full" "$BGPT" cpu run -f sum.asm -o /dev/full

# Making programs: same files for any number of threads, nothing in the way lost.
expect 0 "$BGPT" cpu generate --count 300 --seed 4 -t 1 --out made
prints "made/train: 297 files"
prints "made/test: 3 files"
expect 0 "$BGPT" cpu generate -q --count 300 --seed 4 -t 3 --out made3
checks=$((checks + 1))
diff -r made made3 >"$WORK/stdout" || wrong "threads change the files"
first=$(ls made/test | head -n 1)
checks=$((checks + 1))
[ "$(md5sum <"made/test/$first" | cut -c 1-32).bin" = "$first" ] || wrong "$first is not the MD5 of its bytes"
expect 0 "$BGPT" cpu evaluate --format=json made
prints '"files": 300'
prints '"byte_accuracy": 1.0'
refuse 2 "made is not empty" "$BGPT" cpu generate --count 10 --out made
expect 0 "$BGPT" cpu generate -q -f --count 10 --test 4 --min 16 --max 16 --out made --format=json
json out train test seed min max
prints '"test": 4'
refuse 2 "--out FOLDER is missing" "$BGPT" cpu generate --count 10
refuse 2 "a folder is written" "$BGPT" cpu generate --count 10 -o -
refuse 2 "--max: 257 is more than 256" "$BGPT" cpu generate --max 257 --out more
refuse 2 "--min: 9 is more than --max, 8" "$BGPT" cpu generate --min 9 --max 8 --out more
refuse 2 "--test: 11 is more than --count, 10" "$BGPT" cpu generate --count 10 --test 11 --out more
refuse 5 "sum.bin" "$BGPT" cpu generate --count 10 --out sum.bin/x
missing more
no_leftovers "$WORK"

# A model judged: it makes what generate makes of the same memory and first state.
expect 0 "$BGPT" train cpu:1::1-3 --loss target --steps 60 --patches 80 --size nano --recipe fast --out cpumodel -q
expect 0 "$BGPT" cpu generate -q --count 4 --test 4 --min 1 --max 3 --out few
mkdir -p guessed
for path in few/test/*.bin; do
    head -c 1040 "$path" >start.bin
    size=$(wc -c <"$path")
    expect 0 "$BGPT" generate -q -m cpumodel/model.safetensors --prompt start.bin --greedy --max-bytes $((size - 1024)) -o torn.bin -f
    size=$(wc -c <torn.bin)
    head -c $((size - size % 16)) torn.bin >"guessed/${path##*/}"
done
expect 0 "$BGPT" cpu evaluate --format=json guessed
accuracy=$(grep '"byte_accuracy"' "$WORK/stdout")
checks=$((checks + 1))
[ "${accuracy#*0.0,}" = "$accuracy" ] || wrong "the model makes no right byte: nothing is compared here"
expect 0 "$BGPT" cpu evaluate --format=json -m cpumodel/model.safetensors --streams 3 few/test
prints "$accuracy"
prints '"files": 4'
json fields opcodes lengths
expect 0 "$BGPT" cpu evaluate -v -m cpumodel/model.safetensors few/test sum.asm
prints "registers changed"
prints "1-16"
says "sum.asm"
expect 3 "$BGPT" cpu evaluate -m cpumodel/model.safetensors few/test nowhere
says "nowhere"
prints "files exact"
refuse 3 "none.safetensors" "$BGPT" cpu evaluate -m none.safetensors few/test

# One program beside the machine's run: as many states right as evaluate finds, and what is wrong is marked.
expect 0 "$BGPT" cpu evaluate -m cpumodel/model.safetensors sum.asm
exact=$(sed -n 's/^states exact .*(\([0-9]* of [0-9]*\)).*/\1/p' "$WORK/stdout")
expect 0 "$BGPT" cpu trace -m cpumodel/model.safetensors sum.asm
prints "$exact states are the machine's"
checks=$((checks + 1))
grep -q '!' "$WORK/stdout" || wrong "nothing is marked, and yet $exact states are right"
expect 0 "$BGPT" cpu trace --format=json -m cpumodel/model.safetensors sum.asm
json states states_right steps
prints '"wrong": {'
expect 0 "$BGPT" cpu trace -m cpumodel/model.safetensors --steps 1 sum.asm
refuse 3 "none.safetensors" "$BGPT" cpu trace -m none.safetensors sum.asm
refuse 3 "no-such.asm" "$BGPT" cpu trace -m cpumodel/model.safetensors no-such.asm

# Programs made on the fly are those that generate puts into test, in whatever order.
expect 0 "$BGPT" cpu generate -q --count 5 --test 5 --seed 9 --min 1 --max 4 --out fly
expect 0 "$BGPT" cpu evaluate -q --format=json -m cpumodel/model.safetensors fly/test
cp "$WORK/stdout" fly.json
expect 0 "$BGPT" cpu evaluate -q --format=json -m cpumodel/model.safetensors --count 5 --seed 9 --min 1 --max 4
same_file "$WORK/stdout" fly.json
json trivial fields opcodes lengths
prints '"files": 5'
expect 0 "$BGPT" cpu evaluate -v -m cpumodel/model.safetensors --count 2 --max 2
says "program 2: step"
expect 0 "$BGPT" cpu evaluate -m cpumodel/model.safetensors --count 5 --max 4 --plot 'a "b" c.svg'
says 'a "b" c.gp'
prints "the trivial rule: 100.0000 %)"
checks=$((checks + 1))
grep -q '</svg>' 'a "b" c.svg' || wrong "the plot is no whole picture"
checks=$((checks + 1))
grep -qF '"registers kept"' 'a "b" c.gp' || wrong "the script has no data of fields"
refuse 2 "exists already" "$BGPT" cpu evaluate -m cpumodel/model.safetensors --count 5 --plot 'a "b" c.svg'
refuse 2 ".svg or .png" "$BGPT" cpu evaluate -m cpumodel/model.safetensors --count 5 --plot x.gif
refuse 2 "-m MODEL is missing" "$BGPT" cpu evaluate --count 5
refuse 2 "-m MODEL is missing" "$BGPT" cpu evaluate few/test --plot x.svg
refuse 2 "no files can be given beside it" "$BGPT" cpu evaluate -m cpumodel/model.safetensors --count 5 few
refuse 2 "--count is missing" "$BGPT" cpu evaluate -m cpumodel/model.safetensors few --max 9
refuse 2 "--min: 9 is more than --max, 8" "$BGPT" cpu evaluate -m cpumodel/model.safetensors --count 5 --min 9 --max 8
refuse 2 "FOLDER is missing" "$BGPT" cpu evaluate -m cpumodel/model.safetensors
