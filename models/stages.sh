# Read by the other scripts here, which set bgpt and out: a chain of runs, each of which goes on from the model of the one before.
last=

# train_stage NAME, what to train on and how: the run $out/NAME, whose model $last names then.  Done before, it is left as it is;
# begun before, it is gone on with.
train_stage() {
    name=$1
    shift
    if [ -f "$out/$name/config.json" ]; then
        [ -f "$out/$name/done" ] || "$bgpt" train --resume --out "$out/$name"
    else
        "$bgpt" train "$@" ${last:+--init "$last"} --out "$out/$name"
    fi
    : >"$out/$name/done"
    last=$out/$name/model.safetensors
}
