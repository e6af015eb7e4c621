/* A check of Standard MIDI Files against "Standard MIDI Files 1.0" (MIDI
 * Manufacturers Association, RP-001).  Refuses to play and to accept what
 * players merely tolerate: it answers whether a file is well-formed, and makes
 * one of a file whose events are but whose chunks are not. */
#include "data/midi.h"

#include <string.h>

typedef struct reader {
    const uint8_t *data;
    size_t at, end; /* end: of the file, or of the track being read */
    uint64_t tick; /* of the track being read */
    const bg_midi_sink *sink; /* or NULL */
    bg_midi_facts facts;
    bg_error *err;
} reader;

static bg_status fail_at(const reader *r, size_t at, const char *why)
{
    return bg_fail(r->err, BG_ERR_FORMAT, "byte %zu: %s", at, why);
}

static uint32_t big_endian(const uint8_t *p, int n)
{
    uint32_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

/* --- events ---------------------------------------------------------------- */

/* A variable-length quantity: seven bits a byte, at most four bytes. */
static bg_status read_length(reader *r, uint32_t *out)
{
    size_t begin = r->at;
    *out = 0;
    for (int i = 0; i < 4; i++) {
        if (r->at == r->end)
            return fail_at(r, r->at, "the track ends inside a variable-length number");
        uint8_t c = r->data[r->at++];
        *out = *out << 7 | (c & 0x7F);
        if (c < 0x80)
            return BG_OK;
    }
    return fail_at(r, begin, "a variable-length number of more than four bytes");
}

/* The length and that many bytes, which must lie inside the track. */
static bg_status skip_block(reader *r, uint32_t *size)
{
    BG_TRY(read_length(r, size));
    if (*size > r->end - r->at)
        return fail_at(r, r->at, "an event is longer than its track");
    r->at += *size;
    return BG_OK;
}

/* Lengths of the meta events whose length the standard fixes; -1: any. */
static int meta_size(uint8_t type)
{
    switch (type) {
    case 0x00: return 2; /* sequence number */
    case 0x20: return 1; /* channel prefix */
    case 0x2F: return 0; /* end of track */
    case 0x51: return 3; /* tempo */
    case 0x54: return 5; /* SMPTE offset */
    case 0x58: return 4; /* time signature */
    case 0x59: return 2; /* key signature */
    default: return -1;
    }
}

static bg_status read_meta(reader *r, int *ended)
{
    size_t begin = r->at;
    uint32_t size;
    if (r->at == r->end)
        return fail_at(r, r->at, "the track ends inside a meta event");
    uint8_t type = r->data[r->at++];
    if (type >= 0x80)
        return fail_at(r, begin, "a meta event type above 127");
    BG_TRY(skip_block(r, &size));
    int want = meta_size(type);
    /* a sequence number may be empty: then it is the track's own number */
    if (want >= 0 && size != (uint32_t)want && !(type == 0x00 && size == 0))
        return fail_at(r, begin, "a meta event of the wrong length");
    *ended = type == 0x2F;
    if (type == 0x58 && r->sink)
        r->sink->meter(r->sink->ctx, r->tick, r->data[r->at - 4], r->data[r->at - 3]);
    return BG_OK;
}

/* Data bytes of a channel message. */
static bg_status read_channel(reader *r, uint8_t status)
{
    int kind = status >> 4, n = kind == 0xC || kind == 0xD ? 1 : 2;
    if (r->end - r->at < (size_t)n)
        return fail_at(r, r->at, "the track ends inside an event");
    for (int i = 0; i < n; i++)
        if (r->data[r->at + (size_t)i] >= 0x80)
            return fail_at(r, r->at + (size_t)i, "a data byte above 127");
    r->facts.notes += kind == 9 && r->data[r->at + 1] > 0; /* velocity 0 is a note's end */
    if ((kind == 8 || kind == 9) && r->sink)
        r->sink->note(r->sink->ctx, r->tick, status & 15u, r->data[r->at], kind == 9 ? r->data[r->at + 1] : 0);
    r->at += (size_t)n;
    return BG_OK;
}

/* One event behind its delta time.  *running is the status that a data byte
 * stands for, 0 when there is none: system-exclusive and meta events end it. */
static bg_status read_event(reader *r, uint8_t *running, int *ended)
{
    uint32_t size;
    if (r->at == r->end)
        return fail_at(r, r->at, "the track ends behind a delta time");
    uint8_t c = r->data[r->at];
    if (c < 0x80) {
        if (*running == 0)
            return fail_at(r, r->at, "a data byte where a status byte must be");
        return read_channel(r, *running);
    }
    r->at++;
    *running = c < 0xF0 ? c : 0;
    if (c < 0xF0)
        return read_channel(r, c);
    if (c == 0xFF)
        return read_meta(r, ended);
    if (c == 0xF0 || c == 0xF7)
        return skip_block(r, &size);
    return fail_at(r, r->at - 1, "a status byte that no file may hold");
}

static bg_status read_track(reader *r)
{
    uint8_t running = 0;
    uint32_t delta;
    int ended = 0;
    r->tick = 0;
    while (!ended) {
        if (r->at == r->end)
            return fail_at(r, r->at, "the track has no End of Track event");
        BG_TRY(read_length(r, &delta));
        r->tick += delta;
        BG_TRY(read_event(r, &running, &ended));
    }
    if (r->at != r->end)
        return fail_at(r, r->at, "bytes behind the End of Track event");
    return BG_OK;
}

/* --- chunks ------------------------------------------------------------------ */

/* A chunk's type and length; its content must lie inside the file. */
static bg_status read_chunk(reader *r, size_t size, const uint8_t **type, uint32_t *length)
{
    if (size - r->at < 8)
        return fail_at(r, r->at, "the file ends inside a chunk header");
    *type = r->data + r->at;
    for (size_t i = 0; i < 4; i++)
        if ((*type)[i] < 0x20 || (*type)[i] > 0x7E)
            return fail_at(r, r->at + i, "a chunk type that is not four printable characters");
    *length = big_endian(*type + 4, 4);
    if (*length > size - r->at - 8)
        return fail_at(r, r->at + 4, "a chunk is longer than the rest of the file");
    r->at += 8;
    return BG_OK;
}

/* Ticks per quarter note, or with the top bit set frames per second (negative)
 * and ticks per frame. */
static int division_is_valid(uint32_t division)
{
    int rate = 256 - (int)(division >> 8);
    if (division < 0x8000)
        return division > 0;
    return (rate == 24 || rate == 25 || rate == 29 || rate == 30) && (division & 0xFF) > 0;
}

static bg_status read_header(reader *r, size_t size)
{
    const uint8_t *type;
    uint32_t length;
    if (size < 4 || memcmp(r->data, "MThd", 4) != 0)
        return fail_at(r, 0, "not a MIDI file: it does not begin with MThd");
    BG_TRY(read_chunk(r, size, &type, &length));
    if (length < 6)
        return fail_at(r, 4, "the header is shorter than 6 bytes");
    const uint8_t *p = r->data + r->at;
    r->facts.format = big_endian(p, 2);
    r->facts.tracks = big_endian(p + 2, 2);
    r->facts.division = big_endian(p + 4, 2);
    if (r->facts.format > 2)
        return fail_at(r, r->at, "a format other than 0, 1 and 2");
    if (r->facts.tracks == 0)
        return fail_at(r, r->at + 2, "the header says there are no tracks");
    if (r->facts.format == 0 && r->facts.tracks != 1)
        return fail_at(r, r->at + 2, "format 0 with more than one track");
    if (!division_is_valid(r->facts.division))
        return fail_at(r, r->at + 4, "a time division that means nothing");
    r->at += length;
    return BG_OK;
}

static bg_status read_chunks(reader *r, size_t size)
{
    uint32_t tracks = 0, length;
    const uint8_t *type;
    while (r->at < size) {
        BG_TRY(read_chunk(r, size, &type, &length));
        r->end = r->at + length;
        if (memcmp(type, "MThd", 4) == 0)
            return fail_at(r, r->at - 8, "a second header");
        if (memcmp(type, "MTrk", 4) != 0) {
            r->at = r->end; /* the standard: unknown chunks are skipped */
            continue;
        }
        if (tracks++ == r->facts.tracks)
            return fail_at(r, r->at - 8, "more tracks than the header says");
        bg_status s = read_track(r);
        if (r->sink)
            r->sink->track_end(r->sink->ctx, r->tick);
        BG_TRY(s);
    }
    if (tracks < r->facts.tracks)
        return fail_at(r, size, "fewer tracks than the header says");
    return BG_OK;
}

bg_status bg_midi_read(const uint8_t *data, size_t size, const bg_midi_sink *sink, bg_midi_facts *facts, bg_error *err)
{
    reader r = { data, 0, size, 0, sink, { 0, 0, 0, 0 }, err };
    bg_status s = read_header(&r, size);
    if (s == BG_OK)
        s = read_chunks(&r, size);
    if (facts)
        *facts = r.facts; /* of a file with a fault, what was read before it */
    return s;
}

bg_status bg_midi_check(const uint8_t *data, size_t size, bg_midi_facts *facts, bg_error *err)
{
    bg_midi_facts found;
    BG_TRY(bg_midi_read(data, size, NULL, &found, err));
    if (facts)
        *facts = found;
    return BG_OK;
}

/* --- repair ------------------------------------------------------------------ */

static const uint8_t end_of_track[] = { 0x00, 0xFF, 0x2F, 0x00 };

enum { CHUNK_HEADER = 8, MOST_TRACKS = BG_MIDI_REPAIR_ROOM / (int)sizeof end_of_track };

/* A file being mended in place. */
typedef struct mender {
    uint8_t *data;
    size_t size, capacity, cut; /* cut: bytes taken away so far */
} mender;

static void put_big_endian(uint8_t *p, uint32_t value, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

static int is_track(const mender *m, size_t at) { return m->size - at >= CHUNK_HEADER && memcmp(m->data + at, "MTrk", 4) == 0; }

/* The next track's header from `at` on, or the end of the file. */
static size_t find_track(const mender *m, size_t at)
{
    while (at < m->size && !is_track(m, at))
        at++;
    return at;
}

static void take_away(mender *m, size_t at, size_t n)
{
    memmove(m->data + at, m->data + at + n, m->size - at - n);
    m->size -= n;
    m->cut += n;
}

/* Behind the chunks at `at` that are no tracks; what only looks like one is not passed. */
static size_t pass_others(const mender *m, size_t at)
{
    bg_error ignored;
    reader r = { m->data, at, m->size, 0, NULL, { 0, 0, 0, 0 }, &ignored };
    const uint8_t *type = NULL;
    uint32_t length = 0;
    while (r.at < m->size && !is_track(m, r.at) && read_chunk(&r, m->size, &type, &length) == BG_OK && memcmp(type, "MThd", 4) != 0)
        at = r.at += length;
    return at;
}

/* The events from `at` on: behind the first End of Track (then *ended), or behind the last that is whole.  A track's header
 * where an event should begin ends them, too, though the letters could be one. */
static size_t events_end(const mender *m, size_t at, int *ended)
{
    bg_error ignored;
    reader r = { m->data, at, m->size, 0, NULL, { 0, 0, 0, 0 }, &ignored };
    uint8_t running = 0;
    uint32_t delta;
    *ended = 0;
    while (!*ended && !is_track(m, r.at) && read_length(&r, &delta) == BG_OK && read_event(&r, &running, ended) == BG_OK)
        at = r.at;
    return at;
}

/* The track whose header is at *at, which then is the place behind it. */
static bg_status mend_track(mender *m, size_t *at, bg_error *err)
{
    const size_t begin = *at + CHUNK_HEADER;
    int ended;
    size_t end = events_end(m, begin, &ended);
    if (!ended) {
        take_away(m, end, find_track(m, end) - end);
        if (m->capacity - m->size < sizeof end_of_track)
            return bg_fail(err, BG_ERR_ARGUMENT, "byte %zu: no room for an End of Track event", end);
        memmove(m->data + end + sizeof end_of_track, m->data + end, m->size - end);
        memcpy(m->data + end, end_of_track, sizeof end_of_track);
        end += sizeof end_of_track;
        m->size += sizeof end_of_track;
    }
    put_big_endian(m->data + begin - 4, (uint32_t)(end - begin), 4);
    *at = end;
    return BG_OK;
}

static bg_status mend(mender *m, bg_error *err)
{
    reader r = { m->data, 0, m->size, 0, NULL, { 0, 0, 0, 0 }, err };
    const size_t counted = CHUNK_HEADER + 2; /* where the header says how many tracks there are */
    uint32_t tracks = 0;
    size_t next;
    BG_TRY(read_header(&r, m->size));
    const uint32_t most = r.facts.format == 0 ? 1 : MOST_TRACKS;
    size_t at = pass_others(m, r.at);
    while (tracks < most && (next = find_track(m, at)) < m->size) {
        take_away(m, at, next - at);
        BG_TRY(mend_track(m, &at, err));
        tracks++;
        at = pass_others(m, at);
    }
    if (tracks == 0)
        return bg_fail(err, BG_ERR_FORMAT, "byte %zu: no track follows the header", at);
    put_big_endian(m->data + counted, tracks, 2);
    take_away(m, at, m->size - at);
    return BG_OK;
}

bg_status bg_midi_repair(uint8_t *data, size_t *size, size_t capacity, size_t *cut, bg_error *err)
{
    mender m = { data, *size, capacity, 0 };
    bg_status s = BG_OK;
    if (bg_midi_check(data, *size, NULL, err) != BG_OK)
        s = mend(&m, err);
    *size = m.size;
    *cut = m.cut;
    return s;
}
