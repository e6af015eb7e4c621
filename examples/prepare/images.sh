#!/bin/sh
# Labelled pictures of 32 by 32 pixels as BMP files: the sets images-tiles (drawn sprites, seven classes), images-signs (photographed
# hand signs, ten) and images-cifar10 (photographs, ten).
#
#   examples/prepare/images.sh SET OUT [options of bgpt prepare image]
#
# SET holds train.rgb and test.rgb (3072 bytes a picture, the top row first, red, green, blue) with a .tsv beside each (a header,
# then a picture a line, its label first, and its class second where the labels are numbers of classes), or the archive of
# these.  OUT gets a folder for each, files LABEL_NUMBER.bmp.  BGPT names the program where it is not in PATH.
. "$(dirname "$0")/unpack.sh"
unpack "$1"
out=$2
shift 2

for pictures in "$raw"/*.rgb; do
    part=$(basename "$pictures" .rgb)
    fresh_work
    printf 'P6 32 32 255\n' >"$work/header"
    cut_pieces "$pictures" 3072 ppm
    label_pieces "$raw/$part.tsv" ppm
    "$bgpt" prepare image "@$work/list" --labels "$work/labels" -o "$out/$part" "$@"
done
