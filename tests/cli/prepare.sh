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
