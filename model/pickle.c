/* The stack machine of the restricted pickle reader: see pickle.h.
 * Names and calls are in pickle_torch.c.
 *
 * Refuses opcodes that torch.save() does not write, reads outside the text,
 * the stack and the memo, marks deeper than any checkpoint has, and bytes
 * behind the end.  Every opcode makes at most one value and one cell, so
 * memory stays within a multiple of the text, which is limited itself. */
#include "model/pickle.h"

#include <assert.h>
#include <string.h>

/* Marks open at once; a checkpoint has about 5. */
enum { MAX_MARKS = 256 };

enum {
    OP_MARK = '(', OP_STOP = '.', OP_NONE = 'N', OP_NEWTRUE = 0x88, OP_NEWFALSE = 0x89,
    OP_BININT = 'J', OP_BININT1 = 'K', OP_BININT2 = 'M', OP_LONG1 = 0x8a, OP_BINFLOAT = 'G',
    OP_BINUNICODE = 'X', OP_SHORT_BINUNICODE = 0x8c, OP_BINUNICODE8 = 0x8d, OP_SHORT_BINSTRING = 'U', OP_BINSTRING = 'T',
    OP_EMPTY_TUPLE = ')', OP_TUPLE = 't', OP_TUPLE1 = 0x85, OP_TUPLE2 = 0x86, OP_TUPLE3 = 0x87,
    OP_EMPTY_LIST = ']', OP_APPEND = 'a', OP_APPENDS = 'e',
    OP_EMPTY_DICT = '}', OP_SETITEM = 's', OP_SETITEMS = 'u',
    OP_GLOBAL = 'c', OP_STACK_GLOBAL = 0x93, OP_REDUCE = 'R', OP_BUILD = 'b', OP_BINPERSID = 'Q',
    OP_BINPUT = 'q', OP_LONG_BINPUT = 'r', OP_MEMOIZE = 0x94, OP_BINGET = 'h', OP_LONG_BINGET = 'j',
    OP_PROTO = 0x80, OP_FRAME = 0x95
};

typedef struct machine {
    bg_pickle *p;
    bg_error *err;
    size_t at; /* of the next byte */
    uint32_t *stack, *memo;
    size_t depth, stack_room, memo_count, memo_room;
    size_t marks[MAX_MARKS]; /* heights of the stack */
    size_t mark_count;
} machine;

static bg_status fail(const machine *m, const char *why)
{
    return bg_fail(m->err, BG_ERR_FORMAT, "%s: not a checkpoint that can be read: %s at byte %zu of data.pkl", m->p->path, why,
                   m->at);
}

/* --- text -------------------------------------------------------------------- */

static bg_status take(machine *m, size_t n, const uint8_t **out)
{
    if (n > m->p->size - m->at)
        return fail(m, "the pickle is truncated");
    *out = m->p->data + m->at;
    m->at += n;
    return BG_OK;
}

/* A little-endian number of n <= 8 bytes. */
static bg_status take_number(machine *m, size_t n, uint64_t *out)
{
    const uint8_t *b = NULL;
    BG_TRY(take(m, n, &b));
    *out = 0;
    memcpy(out, b, n);
    return BG_OK;
}

/* A line without its end. */
static bg_status take_line(machine *m, const char **line, size_t *size)
{
    const uint8_t *begin = m->p->data + m->at, *end = memchr(begin, '\n', m->p->size - m->at);
    if (!end)
        return fail(m, "the pickle is truncated");
    *line = (const char *)begin;
    *size = (size_t)(end - begin);
    m->at += *size + 1;
    return BG_OK;
}

/* --- stack and memo ------------------------------------------------------------ */

static bg_status push(machine *m, uint32_t value)
{
    BG_TRY(bg_grow(m->p->sys, (void **)&m->stack, &m->stack_room, m->depth + 1, sizeof *m->stack, m->err));
    m->stack[m->depth++] = value;
    return BG_OK;
}

/* Values above the last mark. */
static size_t above_mark(const machine *m) { return m->depth - (m->mark_count ? m->marks[m->mark_count - 1] : 0); }

static bg_status pop(machine *m, uint32_t *value)
{
    if (above_mark(m) == 0)
        return fail(m, "a value is missing on the stack");
    *value = m->stack[--m->depth];
    return BG_OK;
}

static bg_status top(const machine *m, uint32_t *value)
{
    if (above_mark(m) == 0)
        return fail(m, "a value is missing on the stack");
    *value = m->stack[m->depth - 1];
    return BG_OK;
}

static bg_status push_mark(machine *m)
{
    if (m->mark_count == MAX_MARKS)
        return fail(m, "values are nested too deeply");
    m->marks[m->mark_count++] = m->depth;
    return BG_OK;
}

/* Remove the last mark; *from is where its values begin. */
static bg_status pop_mark(machine *m, size_t *from)
{
    if (m->mark_count == 0)
        return fail(m, "a mark is missing on the stack");
    *from = m->marks[--m->mark_count];
    return BG_OK;
}

static bg_status memo_put(machine *m, uint64_t index)
{
    uint32_t value = 0;
    BG_TRY(top(m, &value));
    if (index >= m->p->size) /* numbers are given in order, one for each opcode at most */
        return fail(m, "a memo number is out of range");
    BG_TRY(bg_grow(m->p->sys, (void **)&m->memo, &m->memo_room, (size_t)index + 1, sizeof *m->memo, m->err));
    while (m->memo_count <= index)
        m->memo[m->memo_count++] = 0;
    m->memo[index] = value;
    return BG_OK;
}

static bg_status memo_get(machine *m, uint64_t index)
{
    if (index >= m->memo_count || !m->memo[index])
        return fail(m, "a memo number is out of range");
    return push(m, m->memo[index]);
}

/* --- values ---------------------------------------------------------------------- */

bg_status bg_py_new(bg_pickle *p, bg_py_kind kind, uint32_t *out, bg_error *err)
{
    BG_TRY(bg_grow(p->sys, (void **)&p->values, &p->value_room, p->value_count + 1, sizeof *p->values, err));
    memset(&p->values[p->value_count], 0, sizeof *p->values);
    p->values[p->value_count].kind = (uint8_t)kind;
    *out = (uint32_t)p->value_count++;
    return BG_OK;
}

/* Append to a container. */
static bg_status link_cell(machine *m, uint32_t container, uint32_t key, uint32_t value)
{
    bg_pickle *p = m->p;
    BG_TRY(bg_grow(p->sys, (void **)&p->cells, &p->cell_room, p->cell_count + 1, sizeof *p->cells, m->err));
    const uint32_t cell = (uint32_t)p->cell_count++;
    p->cells[cell] = (bg_py_cell){ key, value, 0 };
    bg_py_value *v = &p->values[container];
    if (v->last)
        p->cells[v->last].next = cell;
    else
        v->first = cell;
    v->last = cell;
    v->u.count++;
    return BG_OK;
}

static bg_status push_new(machine *m, bg_py_kind kind)
{
    uint32_t v = 0;
    BG_TRY(bg_py_new(m->p, kind, &v, m->err));
    return push(m, v);
}

static bg_status push_int(machine *m, bg_py_kind kind, int64_t integer)
{
    BG_TRY(push_new(m, kind));
    m->p->values[m->stack[m->depth - 1]].u.integer = integer;
    return BG_OK;
}

static bg_status read_int(machine *m, size_t bytes)
{
    uint64_t n = 0;
    BG_TRY(take_number(m, bytes, &n));
    return push_int(m, BG_PY_INT, bytes == 4 ? (int64_t)(int32_t)(uint32_t)n : (int64_t)n);
}

/* Two's complement of 0 to 8 bytes; longer ones mean nothing in a checkpoint. */
static bg_status read_long(machine *m)
{
    uint64_t size = 0, n = 0;
    BG_TRY(take_number(m, 1, &size));
    if (size > 8)
        return fail(m, "a number has more than 64 bits");
    BG_TRY(take_number(m, (size_t)size, &n));
    if (size > 0 && size < 8 && n >> (8 * size - 1))
        n |= ~(uint64_t)0 << 8 * size;
    return push_int(m, BG_PY_INT, (int64_t)n);
}

static bg_status read_float(machine *m)
{
    const uint8_t *b = NULL;
    uint64_t bits = 0;
    BG_TRY(take(m, 8, &b));
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    BG_TRY(push_new(m, BG_PY_FLOAT));
    memcpy(&m->p->values[m->stack[m->depth - 1]].u.real, &bits, sizeof bits);
    return BG_OK;
}

static int is_text(const uint8_t *s, size_t n)
{
    for (size_t i = 0, step; i < n; i += step)
        if (!s[i] || !(step = bg_utf8_length((const char *)s + i, n - i)))
            return 0;
    return 1;
}

static bg_status read_string(machine *m, size_t size_bytes)
{
    uint64_t size = 0;
    const uint8_t *s = NULL;
    BG_TRY(take_number(m, size_bytes, &size));
    BG_TRY(take(m, size < m->p->size ? (size_t)size : m->p->size, &s));
    if (!is_text(s, (size_t)size))
        return fail(m, "a string is not UTF-8 or holds a zero character");
    BG_TRY(push_new(m, BG_PY_STRING));
    bg_py_value *v = &m->p->values[m->stack[m->depth - 1]];
    v->u.string.at = (uint32_t)(s - m->p->data);
    v->u.string.size = (uint32_t)size;
    return BG_OK;
}

/* --- containers -------------------------------------------------------------------- */

/* The values from `from` to the top of the stack become a tuple. */
static bg_status make_tuple(machine *m, size_t from)
{
    uint32_t tuple = 0;
    BG_TRY(bg_py_new(m->p, BG_PY_TUPLE, &tuple, m->err));
    for (size_t i = from; i < m->depth; i++)
        BG_TRY(link_cell(m, tuple, 0, m->stack[i]));
    m->depth = from;
    return push(m, tuple);
}

static bg_status small_tuple(machine *m, size_t n)
{
    if (above_mark(m) < n)
        return fail(m, "a value is missing on the stack");
    return make_tuple(m, m->depth - n);
}

static bg_status marked_tuple(machine *m)
{
    size_t from = 0;
    BG_TRY(pop_mark(m, &from));
    return make_tuple(m, from);
}

/* The values from `from` on go into the container below them: one by one into
 * a list, as keys and values into a dict. */
static bg_status fill(machine *m, bg_py_kind kind, size_t from)
{
    const size_t step = kind == BG_PY_DICT ? 2 : 1, end = m->depth;
    uint32_t container = 0;
    m->depth = from;
    BG_TRY(top(m, &container));
    if (m->p->values[container].kind != kind || (end - from) % step)
        return fail(m, "values are put into something that cannot hold them");
    for (size_t i = from; i < end; i += step)
        BG_TRY(link_cell(m, container, step == 2 ? m->stack[i] : 0, m->stack[i + step - 1]));
    return BG_OK;
}

static bg_status fill_one(machine *m, bg_py_kind kind)
{
    const size_t n = kind == BG_PY_DICT ? 2 : 1;
    if (above_mark(m) < n)
        return fail(m, "a value is missing on the stack");
    return fill(m, kind, m->depth - n);
}

static bg_status fill_marked(machine *m, bg_py_kind kind)
{
    size_t from = 0;
    BG_TRY(pop_mark(m, &from));
    return fill(m, kind, from);
}

/* --- names and calls ------------------------------------------------------------------ */

static bg_status read_global(machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_size = 0, name_size = 0;
    uint32_t v = 0;
    BG_TRY(take_line(m, &module, &module_size));
    BG_TRY(take_line(m, &name, &name_size));
    BG_TRY(bg_py_global_value(m->p, module, module_size, name, name_size, &v, m->err));
    return push(m, v);
}

static bg_status stack_global(machine *m)
{
    uint32_t module = 0, name = 0, v = 0;
    BG_TRY(pop(m, &name));
    BG_TRY(pop(m, &module));
    const bg_py_value *a = &m->p->values[module], *b = &m->p->values[name];
    if (a->kind != BG_PY_STRING || b->kind != BG_PY_STRING)
        return fail(m, "a name is not a string");
    const char *text = (const char *)m->p->data;
    BG_TRY(bg_py_global_value(m->p, text + a->u.string.at, a->u.string.size, text + b->u.string.at, b->u.string.size, &v, m->err));
    return push(m, v);
}

static bg_status reduce(machine *m)
{
    uint32_t args = 0, function = 0, v = 0;
    BG_TRY(pop(m, &args));
    BG_TRY(pop(m, &function));
    BG_TRY(bg_py_call(m->p, function, args, &v, m->err));
    return push(m, v);
}

/* Attributes of an OrderedDict (a state dict's _metadata) are left out. */
static bg_status build(machine *m)
{
    uint32_t state = 0, object = 0;
    BG_TRY(pop(m, &state));
    BG_TRY(top(m, &object));
    if (m->p->values[object].kind != BG_PY_DICT || m->p->values[state].kind != BG_PY_DICT)
        return fail(m, "attributes are set on something other than a dict");
    return BG_OK;
}

static bg_status persistent(machine *m)
{
    uint32_t id = 0, v = 0;
    BG_TRY(pop(m, &id));
    BG_TRY(bg_py_persistent(m->p, id, &v, m->err));
    return push(m, v);
}

static bg_status numbered(machine *m, size_t bytes, bg_status (*memo)(machine *, uint64_t))
{
    uint64_t index = 0;
    BG_TRY(take_number(m, bytes, &index));
    return memo(m, index);
}

static bg_status frame(machine *m)
{
    uint64_t size = 0;
    BG_TRY(take_number(m, 8, &size));
    return size > m->p->size - m->at ? fail(m, "the pickle is truncated") : BG_OK;
}

static bg_status fail_opcode(machine *m, uint8_t op)
{
    m->at--;
    return bg_fail(m->err, BG_ERR_FORMAT, "%s: not a checkpoint that can be read: opcode 0x%02x at byte %zu of data.pkl is not allowed",
                   m->p->path, op, m->at);
}

static bg_status step(machine *m, uint8_t op)
{
    switch (op) {
    case OP_MARK: return push_mark(m);
    case OP_NONE: return push_new(m, BG_PY_NONE);
    case OP_NEWTRUE: return push_int(m, BG_PY_BOOL, 1);
    case OP_NEWFALSE: return push_int(m, BG_PY_BOOL, 0);
    case OP_BININT: return read_int(m, 4);
    case OP_BININT1: return read_int(m, 1);
    case OP_BININT2: return read_int(m, 2);
    case OP_LONG1: return read_long(m);
    case OP_BINFLOAT: return read_float(m);
    case OP_BINUNICODE: return read_string(m, 4);
    case OP_SHORT_BINUNICODE: return read_string(m, 1);
    case OP_BINUNICODE8: return read_string(m, 8);
    case OP_SHORT_BINSTRING: return read_string(m, 1);
    case OP_BINSTRING: return read_string(m, 4);
    case OP_EMPTY_TUPLE: return push_new(m, BG_PY_TUPLE);
    case OP_TUPLE: return marked_tuple(m);
    case OP_TUPLE1: return small_tuple(m, 1);
    case OP_TUPLE2: return small_tuple(m, 2);
    case OP_TUPLE3: return small_tuple(m, 3);
    case OP_EMPTY_LIST: return push_new(m, BG_PY_LIST);
    case OP_APPEND: return fill_one(m, BG_PY_LIST);
    case OP_APPENDS: return fill_marked(m, BG_PY_LIST);
    case OP_EMPTY_DICT: return push_new(m, BG_PY_DICT);
    case OP_SETITEM: return fill_one(m, BG_PY_DICT);
    case OP_SETITEMS: return fill_marked(m, BG_PY_DICT);
    case OP_GLOBAL: return read_global(m);
    case OP_STACK_GLOBAL: return stack_global(m);
    case OP_REDUCE: return reduce(m);
    case OP_BUILD: return build(m);
    case OP_BINPERSID: return persistent(m);
    case OP_BINPUT: return numbered(m, 1, memo_put);
    case OP_LONG_BINPUT: return numbered(m, 4, memo_put);
    case OP_MEMOIZE: return memo_put(m, m->memo_count);
    case OP_BINGET: return numbered(m, 1, memo_get);
    case OP_LONG_BINGET: return numbered(m, 4, memo_get);
    case OP_FRAME: return frame(m);
    default: return fail_opcode(m, op);
    }
}

static bg_status run(machine *m)
{
    uint64_t op = 0, protocol = 0;
    BG_TRY(take_number(m, 1, &op));
    if (op != OP_PROTO)
        return fail(m, "the pickle does not begin with its protocol");
    BG_TRY(take_number(m, 1, &protocol));
    if (protocol < 2 || protocol > 4)
        return fail(m, "a pickle protocol other than 2, 3 and 4");
    for (;;) {
        BG_TRY(take_number(m, 1, &op));
        if (op == OP_STOP)
            break;
        BG_TRY(step(m, (uint8_t)op));
    }
    BG_TRY(pop(m, &m->p->root));
    if (m->depth || m->mark_count)
        return fail(m, "values are left over");
    return m->at < m->p->size ? fail(m, "the pickle ends, but bytes follow") : BG_OK;
}

bg_status bg_pickle_read(bg_pickle *p, const bg_sys *sys, const char *path, const uint8_t *data, size_t size, bg_error *err)
{
    machine m;
    uint32_t nothing;
    memset(p, 0, sizeof *p);
    p->sys = sys;
    p->path = path;
    p->data = data;
    p->size = size;
    if (size > BG_PICKLE_LIMIT)
        return bg_fail(err, BG_ERR_FORMAT, "%s: data.pkl has %zu bytes, at most %u are read", path, size, BG_PICKLE_LIMIT);
    memset(&m, 0, sizeof m);
    m.p = p;
    m.err = err;
    /* Value 0 and cell 0 stand for "none". */
    bg_status s = bg_py_new(p, BG_PY_NOTHING, &nothing, err);
    if (s == BG_OK)
        s = bg_grow(sys, (void **)&p->cells, &p->cell_room, 1, sizeof *p->cells, err);
    if (s == BG_OK) {
        p->cells[0] = (bg_py_cell){ 0, 0, 0 };
        p->cell_count = 1;
        s = run(&m);
    }
    bg_free(sys, m.stack);
    bg_free(sys, m.memo);
    return s;
}

void bg_pickle_close(bg_pickle *p)
{
    if (p->sys) {
        bg_free(p->sys, p->values);
        bg_free(p->sys, p->cells);
        bg_free(p->sys, p->tensors);
    }
    memset(p, 0, sizeof *p);
}
