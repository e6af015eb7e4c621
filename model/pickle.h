/* A restricted reader of Python pickles, for PyTorch checkpoints only.
 * Internal to the .pth import.
 *
 * A pickle is a program for a small stack machine that can call anything in
 * Python.  This machine knows the opcodes that torch.save() writes (protocols
 * 2 to 4), makes plain values, and calls three functions, which it knows
 * itself: OrderedDict, _rebuild_tensor_v2 and _rebuild_parameter.  Every other
 * name, opcode or persistent id is refused.  No value is followed
 * recursively, so nesting costs no stack. */
#ifndef BG_MODEL_PICKLE_H
#define BG_MODEL_PICKLE_H

#include "model/safetensors.h"

typedef enum bg_py_kind {
    BG_PY_NOTHING, /* value 0, which no opcode makes */
    BG_PY_NONE,
    BG_PY_BOOL,
    BG_PY_INT,
    BG_PY_FLOAT,
    BG_PY_STRING,
    BG_PY_TUPLE,
    BG_PY_LIST,
    BG_PY_DICT,    /* OrderedDict too */
    BG_PY_GLOBAL,  /* which: see bg_py_global */
    BG_PY_STORAGE,
    BG_PY_TENSOR
} bg_py_kind;

typedef enum bg_py_global { BG_PY_ORDERED_DICT, BG_PY_REBUILD_TENSOR, BG_PY_REBUILD_PARAMETER, BG_PY_STORAGE_CLASS } bg_py_global;

/* A value; others name it by its index.  Strings stay in the pickle's bytes. */
typedef struct bg_py_value {
    uint8_t kind, which; /* which: bg_py_global */
    uint8_t dtype;       /* STORAGE and a storage class */
    uint32_t first, last; /* cells of TUPLE, LIST, DICT; 0: none.  STORAGE: first = its key, a string */
    union {
        int64_t integer;  /* INT, BOOL; elements of a STORAGE; index of a TENSOR */
        double real;
        struct { uint32_t at, size; } string;
        uint64_t count;   /* TUPLE, LIST, DICT */
    } u;
} bg_py_value;

/* An element of a container; key is 0 except in a DICT. */
typedef struct bg_py_cell {
    uint32_t key, value, next;
} bg_py_cell;

/* A view of a storage; every index it reaches lies inside. */
typedef struct bg_py_tensor {
    uint32_t key;     /* string: the storage's name, decimal digits */
    bg_dtype dtype;
    uint32_t dims;
    uint64_t shape[BG_ST_DIMS], stride[BG_ST_DIMS];
    uint64_t count, offset; /* elements */
    uint64_t span;    /* elements from the first to the last one reached */
    uint64_t storage; /* elements of the whole storage */
} bg_py_tensor;

typedef struct bg_pickle {
    const bg_sys *sys;
    const char *path;    /* for error sentences */
    const uint8_t *data; /* borrowed */
    size_t size;
    bg_py_value *values;
    bg_py_cell *cells;
    bg_py_tensor *tensors;
    size_t value_count, value_room, cell_count, cell_room, tensor_count, tensor_room;
    uint32_t root;
} bg_pickle;

/* Largest pickle taken: the published checkpoints' are 0.1 MB. */
#define BG_PICKLE_LIMIT (4u << 20)

/* data must stay until bg_pickle_close(), which is due on failure too. */
bg_status bg_pickle_read(bg_pickle *p, const bg_sys *sys, const char *path, const uint8_t *data, size_t size, bg_error *err);
void bg_pickle_close(bg_pickle *p); /* safe on a zeroed struct */

bg_py_kind bg_py_kind_of(const bg_pickle *p, uint32_t value);
/* First cell of a container, 0 when it is empty or no container; the next is cells[c].next. */
uint32_t bg_py_first(const bg_pickle *p, uint32_t value);
/* Element n of a tuple, 0 when there is none. */
uint32_t bg_py_element(const bg_pickle *p, uint32_t value, uint32_t n);
/* The value under a key of a DICT, 0 when there is none; the last one counts, as in Python. */
uint32_t bg_py_find(const bg_pickle *p, uint32_t dict, const char *key);
int bg_py_is(const bg_pickle *p, uint32_t string, const char *text);
/* A fresh copy of a string (NULL: out of memory). */
char *bg_py_copy(const bg_pickle *p, uint32_t string);

/* --- between pickle.c and pickle_torch.c -------------------------------------- */

bg_status bg_py_new(bg_pickle *p, bg_py_kind kind, uint32_t *out, bg_error *err);
/* module.name -> a GLOBAL value, if it is one of the few that are allowed. */
bg_status bg_py_global_value(bg_pickle *p, const char *module, size_t module_size, const char *name, size_t name_size, uint32_t *out, bg_error *err);
/* function(*args) */
bg_status bg_py_call(bg_pickle *p, uint32_t function, uint32_t args, uint32_t *out, bg_error *err);
/* ("storage", class, key, location, elements) -> a STORAGE */
bg_status bg_py_persistent(bg_pickle *p, uint32_t id, uint32_t *out, bg_error *err);

#endif
