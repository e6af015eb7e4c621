/* A byte model on a back end: forward, loss, backward, and the cached step of
 * generation.  Straight-line calls of ops; tensor memory is never touched here. */
#ifndef BG_MODEL_MODEL_H
#define BG_MODEL_MODEL_H

#include "data/batch.h"
#include "model/params.h"
#include "ops/ops.h"

typedef struct bg_model bg_model;

/* What a back end must be opened with to carry a model of this shape. */
bg_limits bg_config_limits(const bg_config *c);

/* A model of this shape with zero parameters, on back end be (borrowed).
 * BG_WEIGHTS_TRAIN: gradients are reserved too.  Moments are the optimiser's. */
bg_status bg_model_open(bg_model **out, const bg_config *c, bg_backend *be, bg_weight_form form, bg_error *err);
void bg_model_close(bg_model *m);

const bg_config *bg_model_config(const bg_model *m);
const bg_params *bg_model_params(const bg_model *m);
bg_backend *bg_model_backend(const bg_model *m);
float *bg_model_weights(bg_model *m); /* flat buffer of the back end, params->floats long */
float *bg_model_grads(bg_model *m);   /* NULL without training */
void bg_model_changed(bg_model *m);   /* after any change of the weights */

/* Reserve activations for batches of at most max_rows patches in max_files
 * sequences.  Byte decoder work is cut into chunks of `chunk` target patches
 * (0 = chosen), so memory does not grow with 16 x rows.  Later calls do not
 * allocate. */
bg_status bg_model_reserve(bg_model *m, uint32_t max_rows, uint32_t max_files, uint32_t chunk, bg_error *err);

/* Dropout of a training step; p = 0: off. */
typedef struct bg_noise { float p; uint64_t seed, step; } bg_noise;

/* Forward, loss and backward.  Gradients of sum(loss)*scale are accumulated
 * (zero them first with bg_model_zero_grads).  nats (files): summed
 * cross-entropy of each sequence over its targets' symbols. */
void bg_model_zero_grads(bg_model *m);
void bg_model_train(bg_model *m, const bg_batch *b, float scale, const bg_noise *noise, double *nats);
/* Forward and loss only. */
void bg_model_eval(bg_model *m, const bg_batch *b, double *nats);
/* What the latest pass over b spent on each symbol: nats (targets,P). */
void bg_model_losses(bg_model *m, const bg_batch *b, float *nats);

/* Classifier: logits (files, classes) on the host; the training form
 * accumulates gradients of sum(loss)*scale and gives each file's loss. */
void bg_model_classify(bg_model *m, const bg_batch *b, float *logits);
void bg_model_train_classifier(bg_model *m, const bg_batch *b, float scale, const bg_noise *noise, double *nats, float *logits);

/* For tests and tools: features (rows,H) and logits (targets,P,257), dense, on the host; either may be NULL. */
void bg_model_forward(bg_model *m, const bg_batch *b, float *features, float *logits);

/* --- generation -------------------------------------------------------- */

/* Key/value caches for `slots` sequences side by side. */
typedef struct bg_decoder bg_decoder;
bg_status bg_decoder_open(bg_decoder **out, bg_model *m, uint32_t slots, bg_error *err);
void bg_decoder_close(bg_decoder *d);
/* A sequence begins in a slot (so does its first): at most `limit` patches, the one that is being written included; the context is a limit, too. */
void bg_decoder_reset(bg_decoder *d, uint32_t slot, uint32_t limit);
/* Append patches: n rows; row i goes to slot[i] behind what it holds (rows of
 * one slot in order).  Afterwards each slot's feature is that of its last
 * patch, and its byte position is 0.  A slot must not exceed N patches. */
void bg_decoder_patches(bg_decoder *d, const uint32_t *slot, const uint16_t *tokens, uint32_t n);
uint32_t bg_decoder_length(const bg_decoder *d, uint32_t slot); /* patches held */
/* Advance n slots by one byte position each.  token[i] is the symbol just
 * before (ignored at position 0, where the feature is the input); logits
 * (n,257) dense on the host.  Position advances by one, at most P times
 * until the next bg_decoder_patches. */
void bg_decoder_bytes(bg_decoder *d, const uint32_t *slot, const uint16_t *token, uint32_t n, float *logits);

#endif
