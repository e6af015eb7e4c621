# bgpt prepare: parts of texts, columns with labels, wrong characters, a second call.
mkdir -p texts
printf 'one\nmore\n\ntwo\n' >texts/a.txt
printf 'caf\351' >texts/latin.txt
expect 0 "$BGPT" prepare text texts --split-by blank -o parts
exists parts/a-000001.txt
exists parts/a-000002.txt
grep -q 'latin.txt: offset 3 is no UTF-8' parts/manifest.tsv || wrong "no reason in the manifest"
refuse 2 "manifest.tsv" "$BGPT" prepare text texts --split-by blank -o parts
printf 'text,label\n"a ""q"" one, with\nlines",go_od\n' >table.csv
expect 0 "$BGPT" prepare text table.csv --csv --column text --label-column label -o rows
exists rows/go-od_table-000001.txt
refuse 3 "no column is called other" "$BGPT" prepare text table.csv --csv --column other -o none
expect 0 "$BGPT" prepare text texts/latin.txt --from latin1 -o latin
refuse 3 "nothing could be made" "$BGPT" prepare text texts/latin.txt -o bad
refuse 3 "cannot read nofile" "$BGPT" prepare text nofile -o nowhere
checks=$((checks + 1))
[ ! -e nowhere ] || wrong "a source that is not there leaves a folder behind"
# the same with any number of threads
expect 0 "$BGPT" prepare text texts --split-by line -t 1 -o t1
expect 0 "$BGPT" prepare text texts --split-by line -t 2 -o t2
same_file t1/manifest.tsv t2/manifest.tsv

# a source in the folder of the outputs, a file that is not ours, an earlier preparation
mkdir -p own other && printf 'keep me' >own/a.txt && cp own/a.txt other/a.txt && printf 'foreign' >other/b.txt
refuse 2 "own/a.txt lies in the folder that the outputs go to" "$BGPT" prepare text own -o own
printf 'new' >b.md
refuse 2 "other/b.txt is there already and was not made" "$BGPT" prepare text b.md -o other
[ "$(cat own/a.txt other/b.txt)" = "keep meforeign" ] || wrong "prepare wrote over a file that was there"
rm -f other/manifest.part
expect 0 "$BGPT" prepare text own -o twice
expect 0 "$BGPT" prepare text b.md -o twice -f
checks=$((checks + 1))
[ ! -e twice/a.txt ] && [ -e twice/b.txt ] || wrong "-f left a file of the preparation that it replaced"

# names that would be the same
mkdir -p namesakes/d1 namesakes/d2
printf '1' >namesakes/d1/x.txt && printf '2' >namesakes/d2/x.txt && printf '3' >namesakes/x~1.txt && printf '4' >namesakes/A_k.txt && printf '5' >namesakes/k.txt
printf 'a\nb\n' >namesakes/m.txt && printf 'c\nd\n' >namesakes/m-000001.txt
expect 0 "$BGPT" prepare text namesakes --split-by line -o apart
checks=$((checks + 1))
[ "$(find apart -name '*.txt' | wc -l)" = 9 ] || wrong "outputs fell on each other: $(ls apart)"
exists apart/m-000001.txt
expect 0 "$BGPT" prepare text apart/m-000001.txt -o lonely
exists lonely/m-000001.txt
printf '\357\273\277k.txt\tA\nd1/x.txt\tred\nd2/x.txt\tred\nA_k.txt\tA\n' >namesakes.tsv
expect 0 "$BGPT" prepare text namesakes --labels namesakes.tsv -o tagged
checks=$((checks + 1))
[ "$(cat tagged/A_k.txt)" = 5 ] && [ "$(cat tagged/A_A-k.txt)" = 4 ] || wrong "labels: $(ls tagged)"
grep -q 'namesakes/m.txt: namesakes.tsv has no label for it' tagged/manifest.tsv || wrong "a source without a label passed in silence"
printf 'k.txt\tA\nk.txt\tB\n' >two.tsv
refuse 3 "k.txt has two labels" "$BGPT" prepare text namesakes --labels two.tsv -o x1
printf 'k.txt\tA\tB\n' >two.tsv
refuse 3 "line 1 has more than a name, a tab and a label" "$BGPT" prepare text namesakes --labels two.tsv -o x1
(cd namesakes/d1 && "$BGPT" prepare text . --labels folders -o "$WORK/foldered" >/dev/null 2>&1)
exists foldered/d1_x.txt
printf 'x' >.hidden.txt
expect 0 "$BGPT" prepare text .hidden.txt -o seen
exists seen/hidden.txt

# music: tunes of one form, doubles, what is broken, names, a stop in the middle, other keys, any number of threads
mkdir -p books
printf 'X:1\nT:One\nM:6/8\nL:1/16\nK:D\nd2e2f2 g2a2b2 | "^slow"c2d2e2 f2g2a2 | b2a2g2 f2e2d2 | c2B2A2 B2c2d2 |]\n\nX:2\nK:C\nABc"d\n\nX:3\nT:The same, lower\nM:6/8\nK:C\ncde fga|Bcd efg|agf edc|BAG ABc|]\n' >books/book.abc
printf 'no tune' >"books/na me
x.abc"
printf 'MThd' >books/cut.mid
: >books/empty.abc
printf 'x' >books/notes.doc
if command -v abc2midi >/dev/null; then
    expect 0 "$BGPT" prepare music books -o tunes --validation 0 --transpose 1:2
    printf 'X:1\nL:1/8\nM:6/8\nK:D\ndef gab|cde fga|bag fed|cBA Bcd|]\n' >expected.abc
    same_file tunes/train/book-000001.abc expected.abc
    exists tunes/train/book-000001.mid
    grep -q '^K:Ebmaj' tunes/train/book-000001+1.abc || wrong "not transposed"
    exists tunes/train/book-000001+2.mid
    for why in "tune 2: line 3: what begins with '\"'" "tune 3: the same melody as tune 1 of books/book.abc" 'empty.abc: holds no tune' 'cut.mid: byte' 'notes.doc: is neither' 'x.abc: holds no tune'; do
        grep -qF "$why" tunes/manifest.tsv || wrong "the manifest lacks: $why"
    done
    expect 0 "$BGPT" prepare music books -o tunes1 --validation 0 --transpose 1:2 -t 1
    same_file tunes/manifest.tsv tunes1/manifest.tsv
    # one or two bars of each, in each key, and no more; the same for any number of threads
    expect 0 "$BGPT" prepare music books -o bars --validation 0 --transpose 1:2 --excerpts 1:2
    expect 0 "$BGPT" prepare music books -o bars1 --validation 0 --transpose 1:2 --excerpts 1:2 -t 1
    same_file bars/manifest.tsv bars1/manifest.tsv
    same_file bars/train/book-000001+1.abc tunes/train/book-000001+1.abc
    checks=$((checks + 1))
    [ "$(find bars/excerpts -name '*.mid' | wc -l)" = 3 ] || wrong "not three excerpts: $(ls bars/excerpts)"
    for excerpt in bars/excerpts/*.abc; do
        [ "$(tail -n 1 "$excerpt" | sed 's/:||:/|/g' | tr -cd '|' | wc -c)" -le 2 ] || wrong "more than two bars: $(cat "$excerpt")"
    done
    [ ! -e tunes/excerpts ] || wrong "excerpts that nobody asked for"
    expect 0 "$BGPT" prepare music books -o long --validation 0 --transpose 1:2 --excerpts 5:9
    grep -q 'an excerpt of tune 1, transposed by +2: it has no more than 4 bars' long/manifest.tsv || wrong "no reason why there is no excerpt"
    # a double is written when the first of its melody cannot be; a byte order mark; a name in capitals; one file too large to be a tune
    mkdir -p doubles
    printf '\357\273\277X:1\nL:1/8\nK:D\n|:def gab|cde fga|bag fed|cBA Bcd|\n\nX:2\nL:1/8\nK:D\ndef gab|cde fga|bag fed|cBA Bcd|]\n' >doubles/TWO.ABC
    truncate -s 1100M doubles/film.mp4
    expect 0 "$BGPT" prepare music doubles -o single --validation 0
    rm -f doubles/film.mp4
    exists single/train/TWO-000002.abc
    for why in 'tune 1: abc2midi: ' 'film.mp4'; do
        grep -qF "$why" single/manifest.tsv || wrong "the manifest lacks: $why"
    done
    # a chord's notes sound as long as the source's; a key that abc2abc gets wrong is left out, the others stay
    mkdir -p chords
    printf 'X:1\nL:1/4\nK:C\n[CEG]2 [CEG]A|[CE]4|[DF]3/2 A/2 AA|ABcd|efga|ABcd|\n' >chords/chord.abc
    printf 'X:1\nL:1/8\nK:D exp _b ^f\ndefg|abag|fbde|^f=fbB|\n' >chords/odd.abc
    expect 0 "$BGPT" prepare music chords -o sounding --validation 0 --transpose all
    abc2midi chords/chord.abc -o chord.mid >/dev/null 2>&1
    abc2midi sounding/train/chord.abc -o made.mid >/dev/null 2>&1
    midi2abc made.mid 2>/dev/null | grep -v '^T:' >made.txt
    midi2abc chord.mid 2>/dev/null | grep -v '^T:' >wanted.txt
    same_file made.txt wanted.txt
    grep -q 'tune 1, transposed by .*: its notes are not the tune' sounding/manifest.tsv || wrong "a wrong transposition passed"
    expect 0 "$BGPT" prepare music books/book.abc -o both --doubles keep --validation 100 --midi off
    exists both/validation/book-000003.abc
    refuse 3 "nothing could be made" "$BGPT" prepare music books/empty.abc -o none2
fi
refuse 2 "--unit: '1/0' is neither" "$BGPT" prepare music books -o x1 --unit 1/0
refuse 2 "--transpose: 'up' is neither" "$BGPT" prepare music books -o x1 --transpose up
for bars in 0:1 2:1 1:2000 one 1 4294967297:3 '1: 3' -1:2; do
    refuse 2 "--excerpts: '$bars' is not LOW:HIGH" "$BGPT" prepare music books -o x1 --excerpts "$bars"
done

# Pictures: readable ones, of names with spaces, line feeds and Latin letters, beside text, a torn file and an empty one.
mkdir -p images && cd images || exit 2
ppm() { printf 'P6\n4 2\n255\n'; printf '%24s' '' | tr ' ' "$1"; }
newline='a
b'
strange=$(printf 'caf\351')
mkdir -p pictures/red pictures/blue
ppm r >"pictures/red/with space.ppm"
ppm s >"pictures/red/$newline.ppm"
ppm b >"pictures/blue/$strange.ppm"
printf 'this is text' >pictures/red/text.png
printf 'P6\n20000 20000\n255\nabc' >pictures/red/torn.ppm
: >pictures/red/empty.jpg
expect 0 "$BGPT" prepare image pictures --labels folders -o small
prints "3 files written, 9.4 KB, of 6 sources; 3 left out"
for name in "red_with space" red_a-b "blue_$strange"; do
    checks=$((checks + 1))
    [ "$(wc -c <"small/$name.bmp")" = 3126 ] || wrong "small/$name.bmp has not 3126 bytes"
done
for why in 'text.png: no ' 'torn.ppm: it has fewer points' 'empty.jpg: holds nothing'; do
    checks=$((checks + 1))
    grep -q "$why" small/manifest.tsv || wrong "the manifest does not say: $why"
done
expect 0 "$BGPT" prepare image pictures/blue --size 7x3 --shape fit -o odd
checks=$((checks + 1))
[ "$(wc -c <"odd/$strange.bmp")" = 126 ] || wrong "7x3 points have not 54 + 3*24 bytes"
expect 0 "$BGPT" prepare image small/*.bmp -t 1 -o again
same_file "again/red_with space.bmp" "small/red_with space.bmp"
refuse 2 "--size" "$BGPT" prepare image pictures --size 0 -o none
refuse 2 "--size" "$BGPT" prepare image pictures --size 32x -o none
refuse 2 "--size" "$BGPT" prepare image pictures --size 32x2000 -o none
refuse 2 "--background" "$BGPT" prepare image pictures --background white -o none
refuse 3 "nothing could be made" "$BGPT" prepare image pictures/red/text.png -o nothing
# a JPEG of one grey point: read with libvips, else left out with a sentence that names it
printf '\377\330\377\340\0\020JFIF\0\1\1\0\0\1\0\1\0\0\377\333\0\103\0' >grey.jpg
printf '%64s' '' | tr ' ' '\1' >>grey.jpg
printf '\377\300\0\013\10\0\1\0\1\1\1\021\0\377\304\0\024\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\304\0\024\020\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\332\0\010\1\1\0\0\77\0\77\377\331' >>grey.jpg
run "$BGPT" prepare image grey.jpg -o jpeg
checks=$((checks + 1))
if [ "$code" = 0 ]; then
    [ "$(tail -c 3 jpeg/grey.bmp | tr -d '\200')" = '' ] || wrong "the JPEG is not grey"
    head -c 100 grey.jpg >cut.jpg
    expect 3 "$BGPT" prepare image cut.jpg -o cut
    says "damaged or cut short"
else
    grep -q 'libvips' jpeg/manifest.tsv || wrong "the manifest does not name libvips"
fi
cd "$WORK" || exit 2

# the recipes of examples/prepare on slices of the same form
RECIPES=$here/../../examples/prepare
mkdir -p slice/speech slice/images slice/text slice/tunes
head -c 16000 /dev/zero | tr '\0' '\200' >slice/speech/test.u8
printf 'label\tspeaker\n7\ta\n3\tb\n' >slice/speech/test.tsv
head -c 6144 /dev/zero | tr '\0' 'q' >slice/images/train.rgb
printf 'label\tclass\n0\tmon\n1\titem\n' >slice/images/train.tsv
printf '"2","alarm","wake me ""up"""\n"1","pay","how much"\n' >slice/text/test.csv
printf '1\tbanking\n2\thome\n' >slice/text/domains.txt
printf 'a b\nc\n\nd\n' >slice/text/train.txt
expect 0 env BGPT="$BGPT" sh "$RECIPES/images.sh" slice/images made/images
[ "$(wc -c <made/images/train/item_000001.bmp)" = 3126 ] || wrong "examples/prepare/images.sh"
expect 0 env BGPT="$BGPT" sh "$RECIPES/text.sh" slice/text made/text
printf 'wake me "up"' >expected.txt
same_file made/text/test/home_test-000001.txt expected.txt
exists made/text/train/train-000002.txt
if "$BGPT" prepare audio slice/speech -o silent 2>&1 | grep -q libsndfile; then
    refuse 1 "libsndfile1-dev" "$BGPT" prepare audio slice/speech -o silent
else
    expect 0 env BGPT="$BGPT" sh "$RECIPES/speech.sh" slice/speech made/speech
    [ "$(tail -c 8000 made/speech/test/7_000000.wav | tr -d '\200' | wc -c)" = 0 ] || wrong "examples/prepare/speech.sh: other samples"
fi
if command -v abc2midi >/dev/null; then
    for part in train validation; do
        printf 'X:1\nL:1/8\nK:G\nGABc dedB|c2ec B2dB|GABc dedB|\n\nX:1\nL:1/8\nK:D\nd2fd ed3|ABcd efga|fede d4|\n' >slice/tunes/$part.abc
        printf 'offset\tabc\tmidi\twarnings\tsource\tlicence\n0\t1\t1\t0\tbook\tPD\n9\t1\t1\t0\thardy\tCC-BY-NC-SA\n' >slice/tunes/$part.index.tsv
    done
    expect 0 env BGPT="$BGPT" sh "$RECIPES/irish-abc.sh" slice/tunes made/tunes --min-notes 8
    exists made/tunes/train/train/train.mid
    exists made/tunes/validation/validation/validation.abc
    [ "$(find made/tunes -name '*.abc' | wc -l)" = 2 ] || wrong "examples/prepare/irish-abc.sh: closed tunes"
fi

# a model knows how its files were prepared: classify does the same to others
TINY="--classify --hidden 64 --patch-layers 1 --byte-layers 1 --patches 200 --steps 2 -t 1"
# shellcheck disable=SC2086 # several words
expect 0 "$BGPT" train made/images/train $TINY --out pictured
"$BGPT" info pictured/model.safetensors | grep -q 'image size=32x32' || wrong "the preparation is not in the model"
ls made/images/train/*.bmp >listed.txt
# shellcheck disable=SC2086
expect 0 "$BGPT" train @listed.txt $TINY --out listed
"$BGPT" info listed/model.safetensors | grep -q 'image size=32x32' || wrong "the preparation of listed files is not in the model"
expect 0 "$BGPT" classify -m pictured/model.safetensors "images/pictures/red/with space.ppm"
grep -q '^images/pictures/red/with space.ppm: [a-z]*.bmp' "$WORK/stdout" || wrong "not classified"
refuse 3 "it has fewer points" "$BGPT" classify -m pictured/model.safetensors images/pictures/red/torn.ppm
expect 0 "$BGPT" classify --as-is -m pictured/model.safetensors images/pictures/red/torn.ppm
mkdir -p plain
cp made/images/train/*.bmp plain
ls made/images/train/*.bmp plain/*.bmp >listed.txt # some of them nobody knows of
# shellcheck disable=SC2086
expect 0 "$BGPT" train @listed.txt $TINY --out unknown
! "$BGPT" info unknown/model.safetensors | grep -q 'image size=' || wrong "files of two kinds have one preparation"
# shellcheck disable=SC2086
expect 0 "$BGPT" train plain $TINY --out odd --meta "prepare=audio seconds=-1 rate=8000 bits=8 long=0 short=0 dither=0"
refuse 2 "no preparation is known by the words 'audio seconds=-1" "$BGPT" classify -m odd/model.safetensors plain/item_000001.bmp
