/* A model on a thread of portable arithmetic, for tests of files. */
#ifndef BG_TESTS_SUPPORT_MACHINE_H
#define BG_TESTS_SUPPORT_MACHINE_H

#include "model/model.h"

typedef struct machine {
    bg_pool *pool;
    bg_backend *be;
    bg_model *model; /* NULL behind open_backend */
} machine;

void open_backend(machine *m, const bg_config *c);
/* With a model whose weights are normal numbers of this seed. */
void open_machine(machine *m, const bg_config *c, uint64_t seed);
void close_machine(machine *m);

#endif
