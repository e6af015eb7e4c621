# Tunes made at random, in ABC, one behind the other: notes that nothing but the notation tells.
#   awk -v count=12000 -v seed=11 -v low=4 -v high=12 -f random-tunes.awk
# low to high notes each, up to a whole bar; keys, metres, lengths and a few accidentals as folk tunes have them.
function within(p, low, high) { return p < low ? low + int(5 * rand()) : p > high ? high - int(5 * rand()) : p }
function length_of(left,   r, d) {
    r = rand()
    d = r < 0.62 ? 1 : r < 0.85 ? 2 : r < 0.92 ? 3 : r < 0.96 ? 4 : 0.5
    return d > left ? 1 : d
}
function tune(number,   m, bar, half, notes, i, p, q, d, filled, bars, again, accidental) {
    m = 1 + int(metres * rand()); bar = units[m]
    half = metre[m] == "6/8" ? 3 : bar == 6 ? 2 : bar / 2
    printf "X:1\nT:%d\nL:1/8\nM:%s\nK:%s\n", number, metre[m], key[1 + int(keys * rand())]
    notes = low + int((high - low + 1) * rand())
    p = 8 + int(10 * rand())
    again = rand() < 0.2
    if (again) printf "|:"
    for (i = 0; i < notes || filled; i++) {
        p = within(rand() < 0.5 ? 5 + int(16 * rand()) : p + int(7 * rand()) - 3, 5, 22)
        d = length_of(bar - filled)
        accidental = rand() < 0.03 ? (rand() < 0.5 ? "^" : "=") : ""
        if (d == 0.5) {
            q = within(p + int(5 * rand()) - 2, 5, 22)
            printf "%s/%s/", note[p], note[q]
            p = q; d = 1; i++
        } else
            printf "%s%s%s", accidental, note[p], d == 1 ? "" : d
        filled += d
        if (filled == bar) {
            filled = 0; bars++
            if (i + 1 < notes) printf bars % 4 ? "|" : "|\n"
        } else if (filled == half || (half == 2 && filled == 4))
            printf " "
    }
    printf again ? ":|\n\n" : "|]\n\n"
}
BEGIN {
    srand(seed)
    split("C, D, E, F, G, A, B, C D E F G A B c d e f g a b c' d'", note, " ")
    keys = split("Cmaj Dmaj Emaj Fmaj Gmaj Amaj Bbmaj Ebmaj G D A Am Em Dm Bm Gm F C Ador Edor Dmix Amix", key, " ")
    metres = split("4/4 C C| 2/4 3/4 6/8 6/8", metre, " ")
    split("8 8 8 4 6 6 6", units, " ")
    for (number = 1; number <= count; number++)
        tune(number)
}
