#!/bin/sh
# Spoken words as labelled WAV files of one second: the sets speech-fsdd (ten English digits) and speech-asc (forty Arabic words).
#
#   examples/prepare/speech.sh SET OUT [options of bgpt prepare audio]
#
# SET holds train.u8, test.u8 and perhaps validation.u8 (clips of 8000 bytes, one behind another) with a .tsv beside each (a
# header, then a clip a line, its label first), or the archive of these.  OUT gets a folder for each, files LABEL_NUMBER.wav.
# BGPT names the program where it is not in PATH.
. "$(dirname "$0")/unpack.sh"
unpack "$1"
out=$2
shift 2

for clips in "$raw"/*.u8; do
    part=$(basename "$clips" .u8)
    fresh_work
    # the plain header of 44 bytes: 8 kHz, one channel, 8 bits, 8000 samples
    printf 'RIFF\144\037\000\000WAVEfmt \020\000\000\000\001\000\001\000\100\037\000\000\100\037\000\000\001\000\010\000data\100\037\000\000' >"$work/header"
    cut_pieces "$clips" 8000 wav
    label_pieces "$raw/$part.tsv" wav
    "$bgpt" prepare audio "@$work/list" --labels "$work/labels" --long loudest --peak 0.8 --dither off -o "$out/$part" "$@"
done
