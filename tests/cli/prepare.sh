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
# the same with any number of threads
expect 0 "$BGPT" prepare text texts --split-by line -t 1 -o t1
expect 0 "$BGPT" prepare text texts --split-by line -t 2 -o t2
same_file t1/manifest.tsv t2/manifest.tsv

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
    expect 0 "$BGPT" prepare music books/book.abc -o both --doubles keep --validation 100 --midi off
    exists both/validation/book-000003.abc
    refuse 3 "nothing could be made" "$BGPT" prepare music books/empty.abc -o none2
fi
refuse 2 "--unit: '1/0' is neither" "$BGPT" prepare music books -o x1 --unit 1/0
refuse 2 "--transpose: 'up' is neither" "$BGPT" prepare music books -o x1 --transpose up

# pictures: exact sizes, names of any kind, what is no picture
mkdir -p pictures/sun
{ printf 'P6 40 20 255\n'; head -c 2400 /dev/zero | tr '\0' 'x'; } >"pictures/sun/a b.ppm"
{ printf 'P6 40 20 255\n'; head -c 2400 /dev/zero | tr '\0' 'x'; } >"$(printf 'pictures/sun/\377\nc.ppm')"
printf 'P6 40 20 255\nxx' >pictures/sun/cut.ppm
: >pictures/sun/empty.png
printf 'hello' >pictures/sun/text.bmp
expect 0 "$BGPT" prepare image pictures -o bmps --labels folders
[ "$(wc -c <"bmps/sun_a b.bmp")" = 3126 ] || wrong "not 54 + 3072 bytes"
[ "$(find bmps -name '*.bmp' | wc -l)" -ge 2 ] || wrong "pictures are missing"
for why in 'cut.ppm: it ends in row 1' 'empty.png: ' 'text.bmp: '; do
    grep -qF "$why" bmps/manifest.tsv || wrong "the manifest lacks: $why"
done
expect 0 "$BGPT" prepare image pictures -o small --size 10x3 --shape fit --background ff0000
[ "$(wc -c <"small/a b.bmp")" = 150 ] || wrong "not 54 + 3 rows of 32 bytes"
refuse 2 "--size: '0' is neither" "$BGPT" prepare image pictures -o x1 --size 0
refuse 2 "--size: '9x' is neither" "$BGPT" prepare image pictures -o x1 --size 9x
refuse 2 "--background: 'red' is no colour" "$BGPT" prepare image pictures -o x1 --background red
refuse 3 "nothing could be made" "$BGPT" prepare image pictures/sun/text.bmp -o none3

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
if "$BGPT" prepare audio slice/speech -o nothing 2>&1 | grep -q libsndfile; then
    refuse 1 "libsndfile1-dev" "$BGPT" prepare audio slice/speech -o nothing
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
expect 0 "$BGPT" classify -m pictured/model.safetensors "pictures/sun/a b.ppm"
grep -q '^pictures/sun/a b.ppm: [a-z]*.bmp' "$WORK/stdout" || wrong "not classified"
refuse 3 "it ends in row 1" "$BGPT" classify -m pictured/model.safetensors pictures/sun/cut.ppm
expect 0 "$BGPT" classify --as-is -m pictured/model.safetensors pictures/sun/cut.ppm
mkdir -p plain
cp made/images/train/*.bmp plain
# shellcheck disable=SC2086
expect 0 "$BGPT" train plain $TINY --out odd --meta "prepare=audio seconds=-1 rate=8000 bits=8 long=0 short=0 dither=0"
refuse 2 "no preparation is known by the words 'audio seconds=-1" "$BGPT" classify -m odd/model.safetensors plain/item_000001.bmp
