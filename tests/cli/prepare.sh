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
