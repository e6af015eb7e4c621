# Helpers of the tests of the program; read by cli.sh.  Expects $BGPT (the
# program) and $WORK (an empty folder).

checks=0
failures=0

# Print what differed; the run goes on, so that one run shows all.
wrong() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1"
    printf '  command: %s\n' "$last_command"
    printf '  standard error:\n'
    sed 's/^/    /' "$WORK/stderr" | head -n 8
    printf '  standard output:\n'
    head -c 600 "$WORK/stdout" | tr -c '\n\t -~' '?' | sed 's/^/    /' | head -n 8
    printf '\n'
}

run() {
    last_command=$*
    "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null
    code=$?
}

# expect CODE COMMAND...: the command ends with this exit code.
expect() {
    want=$1
    shift
    run "$@"
    checks=$((checks + 1))
    [ "$code" = "$want" ] || wrong "exit code $code instead of $want"
}

# refuse CODE TEXT COMMAND...: it ends with this code, one sentence that holds
# TEXT, and nothing on standard output.
refuse() {
    want=$1 text=$2
    shift 2
    expect "$want" "$@"
    sentences=$(grep -c '^bgpt: ' "$WORK/stderr")
    if [ "$sentences" != 1 ]; then
        wrong "$sentences sentences instead of one"
    elif ! grep -qF -e "$text" "$WORK/stderr"; then
        wrong "the sentence does not say: $text"
    elif [ -s "$WORK/stdout" ]; then
        wrong "something on standard output"
    fi
}

# says TEXT, prints TEXT: the last command's standard error, standard output.
says() {
    checks=$((checks + 1))
    grep -qF -e "$1" "$WORK/stderr" || wrong "standard error does not say: $1"
}

prints() {
    checks=$((checks + 1))
    grep -qF -e "$1" "$WORK/stdout" || wrong "standard output does not say: $1"
}

# json KEY...: one object with these keys, and nothing beside it.
json() {
    checks=$((checks + 1))
    if [ "$(head -c 1 "$WORK/stdout")" != "{" ] || [ "$(tail -n 1 "$WORK/stdout")" != "}" ]; then
        wrong "standard output is not one JSON object"
        return
    fi
    for key in "$@"; do
        grep -q "\"$key\": " "$WORK/stdout" || wrong "no key \"$key\""
    done
}

# silent: nothing on standard error.
silent() {
    checks=$((checks + 1))
    [ ! -s "$WORK/stderr" ] || wrong "something on standard error"
}

same_file() {
    checks=$((checks + 1))
    cmp -s "$1" "$2" || wrong "$1 and $2 differ"
}

exists() {
    checks=$((checks + 1))
    [ -e "$1" ] || wrong "$1 is not there"
}

missing() {
    checks=$((checks + 1))
    [ ! -e "$1" ] || wrong "$1 is there"
}

# No temporary file may be left anywhere below a folder.
no_leftovers() {
    checks=$((checks + 1))
    left=$(find "$1" -name '*.tmp*' | head -n 1)
    [ -z "$left" ] || wrong "left behind: $left"
}
