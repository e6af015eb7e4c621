#!/bin/sh
# The layer check: who may include whom.
#
#   tests/layers.sh [SOURCE-FOLDER]
#
# Each layer includes only itself and what stands before it, so that the code
# can be read bottom up.  Every breach is printed as file:line; the
# exit status is 1 when there is one.
set -eu
cd "${1:-$(dirname "$0")/..}"

find base simcpu data prepare ops model run api cli serve examples include \( -name '*.[ch]' -o -name '*.inl' \) 2>/dev/null | LC_ALL=C sort |
LC_ALL=C xargs awk '
    # layer -> folders it may include; a longer folder name wins over a shorter one
    BEGIN {
        may["base"] = "base"
        may["simcpu"] = "base simcpu" # the simulated machine of the CPU task
        may["data"] = "base simcpu data" # data sets of programs are made
        may["ops"] = "base ops"
        may["model"] = "base data ops model"
        may["run"] = "base data ops model run"
        may["api"] = "base simcpu data ops model run api include"
        may["prepare"] = "base data prepare" # files made ready; part of the program, not of the library
        # programs know the library by its public header only
        may["cli"] = "cli include prepare"
        may["serve"] = "serve include"
        may["examples"] = "include"
        may["include"] = ""
        # libraries from outside: each in one room, so that it can be replaced
        outside["zip.h"] = "model"
        outside["popt.h"] = "cli"
        outside["jansson.h"] = "cli"
        outside["png.h"] = "cli prepare"
        outside["sndfile.h"] = outside["samplerate.h"] = outside["openssl/evp.h"] = outside["vips/vips.h"] = "prepare"
        outside["cmocka.h"] = "none"
    }
    function within(name, list) { return index(" " list " ", " " name " ") > 0 }
    function breach(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad++ }
    FNR == 1 {
        files++
        layer = FILENAME; sub(/\/.*/, "", layer)
        folder = FILENAME; sub(/\/[^\/]*$/, "", folder)
    }
    !/^[ \t]*#[ \t]*include/ { next }
    {
        quoted = match($0, /"[^"]*"/)
        if (!quoted && !match($0, /<[^>]*>/)) next
        name = substr($0, RSTART + 1, RLENGTH - 2)
        if (name == "bgpt.h") name = "include/bgpt.h"
        if (!quoted && name != "include/bgpt.h") {
            if (name in outside && !within(layer, outside[name])) breach("<" name "> belongs to " outside[name] "/ alone")
            next
        }
        if (name ~ /\.\./) { breach("\"" name "\": give the path from the root of the sources"); next }
        if (name !~ /\//) name = folder "/" name # beside the file itself
        target = name; sub(/\/.*/, "", target)
        if (!within(target, may[layer])) breach(layer "/ must not include \"" name "\"")
        # all know a back end by the contract ops/ops.h only, other back ends too
        else if (name ~ /^ops\/[a-z]*\// && index(name, folder "/") != 1)
            breach(folder "/ must not include \"" name "\": ops/ops.h is the contract")
    }
    END {
        if (!files) { print "layers: no source file found"; exit 1 }
        if (bad) { printf "layers: %d includes against the order of the layers\n", bad; exit 1 }
        printf "layers: %d files include only what stands before them\n", files
    }
' || exit 1
