/* Model files: one safetensors file with the reference's tensor names, and
 * the reference's .pth both ways. */
#ifndef BG_MODEL_FILE_H
#define BG_MODEL_FILE_H

#include "model/model.h"
#include "model/safetensors.h"

/* The output matrix that the reference stores beside the embedding it is tied with. */
#define BG_LM_HEAD "byte_level_decoder.base.lm_head.weight"
#define BG_NAMED_POSITIONS "patch_level_decoder.base.wpe.weight"
#define BG_TIED_WTE "byte_level_decoder.base.transformer.wte.weight"

enum { BG_PREFIX = 32 }; /* longest prefix of extra tensors, zero included */

/* The configuration that the tensor shapes of an open file imply.  Checks
 * that every tensor the walk expects is there with its shape and that nothing
 * unknown is; lm_head.weight and attn.bias/attn.masked_bias buffers are
 * tolerated, and so are names starting with "optimizer." (checkpoints). */
bg_status bg_file_config(bg_config *c, const bg_st_file *f, bg_error *err);
/* Is this what a checkpoint holds beside the weights ("optimizer.m. ...")? */
int bg_file_of_run(const char *name);
/* Is this one of the buffers of old checkpoints (attn.bias, attn.masked_bias) that carry nothing? */
int bg_file_ignored(const char *name);
/* lm_head, where a file has it, must be the embedding it is tied with. */
bg_status bg_file_check_tied(bg_st_file *f, bg_error *err);

/* Load weights into an open model of the file's configuration. */
bg_status bg_file_load_weights(bg_model *m, bg_st_file *f, bg_error *err);
/* Weights whose names and shapes agree, and of the patches' positions those that both models have (for --init: a classifier from a
 * generative model and back); *loaded counts tensors. */
bg_status bg_file_load_matching(bg_model *m, bg_st_file *f, uint32_t *loaded, bg_error *err);

/* Open file -> model, in one call.  meta (may be NULL) receives the metadata. */
bg_status bg_model_load(bg_model **out, const char *path, bg_backend *be, bg_weight_form form, bg_meta *meta, bg_error *err);

/* Further flat buffers in the layout of the walk (AdamW's moments), saved as
 * PREFIX + tensor name. */
typedef struct bg_extra { const char *prefix; float *flat; } bg_extra;

/* Write aside, fsync, rename, re-read and compare. */
bg_status bg_model_save(bg_model *m, const char *path, int replace, const bg_meta *meta, const bg_extra *extra, size_t extras, bg_error *err);
/* The model file `from` with its weights as fp16: half its size, metadata kept.  A weight beyond 65504 is BG_ERR_FAILED. */
bg_status bg_model_compact(const bg_sys *sys, const char *from, const char *to, int replace, bg_error *err);
/* Each weight the mean over these models, by `shares` (NULL: all the same; they need not add up to 1); metadata of the first, without its scores and the state of its run.
 * Models of one run, or begun from one, mostly lie in one valley, where the mean is better than each (Wortsman and others 2022,
 * arXiv 2203.05482).  Another shape, other labels, inputs prepared in another way, shares
 * below 0, beyond 1e9 or all 0, no models: BG_ERR_ARGUMENT. */
bg_status bg_model_average(const bg_sys *sys, const char *const *from, const double *shares, size_t count, const char *to, int replace, bg_error *err);
/* The extra buffers of a checkpoint. */
bg_status bg_file_load_extra(bg_model *m, bg_st_file *f, const bg_extra *extra, bg_error *err);

/* Reference checkpoint -> safetensors file.  Reads with a restricted
 * unpickler: tensors, plain containers, numbers and strings; any other global,
 * opcode or persistent id is BG_ERR_FORMAT.  Labels of a classifier become
 * metadata "labels".  Tensor data is streamed, never held twice. */
bg_status bg_pth_import(const bg_sys *sys, const char *pth, const char *safetensors, int replace, bg_error *err);
/* Model file -> .pth that torch.load(weights_only=True) and the reference's
 * load_state_dict(strict=True) accept: keys model (lm_head included), optimizer,
 * lr_sched, epoch, best_epoch, min_eval_loss (classifier: max_eval_acc, labels). */
bg_status bg_pth_export(const bg_sys *sys, const char *safetensors, const char *pth, int replace, bg_error *err);

#endif
