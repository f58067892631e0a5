//===- Compiler.h - The compiler's one function in C ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What libvit-compiler.so offers to programs that do not want LLVM linked in:
/// one function, found with dlopen and dlsym. It turns a model (a checkpoint's
/// folder or a text) into a `.vitm` file, or evaluates it with the reference
/// interpreter in double.
///
/// The work is done in a child process, made with fork(), which ends with the
/// call. Whatever happens to it is a status and a text here: an error in the
/// model, a fatal error of LLVM, a failed allocation on any of its threads, a
/// crash. This process keeps none of the compiler's memory, and does not abort,
/// exit or throw.
///
//===----------------------------------------------------------------------===//

#ifndef VIT_COMPILER_H
#define VIT_COMPILER_H

#include "vit/vit.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The passes that skip_passes may name. Results stay the same without them.
#define VIT_COMPILER_OPTIONAL_PASSES "simplify,narrow-tokens,fuse"

/// Another name of the output "logits", used by Hugging Face's models.
#define VIT_COMPILER_LOGITS_ALIAS "classification_head_logits"

/// "product:NAME" among the outputs is the result of the vit.linear or
/// vit.attention called NAME; "product:*" all of them, in the order of the
/// graph, after the model's own outputs if it is the only name.
#define VIT_COMPILER_PRODUCT_PREFIX "product:"

/// "input:NAME" among the outputs is the input of the vit.linear called NAME,
/// the first one of several that read the same value; "input:*" all of them.
#define VIT_COMPILER_INPUT_PREFIX "input:"

typedef enum vit_compiler_action {
  VIT_COMPILER_COMPILE = 0, ///< `model` to the file `output_path`
  VIT_COMPILER_EVALUATE = 1 ///< `model` on `inputs`, outputs to `on_output`
} vit_compiler_action;

/// Where a module's weights are.
typedef enum vit_compiler_parameters {
  VIT_COMPILER_DEFAULT = 0,  ///< Inline where there are weights; a text without
                             ///< keeps its initialisers, drawn at load.
  VIT_COMPILER_INLINE = 1,   ///< In the module, in the form that kernels read.
  VIT_COMPILER_REFERENCE = 2 ///< In the checkpoint's files, found by a path
                             ///< relative to the module's folder.
} vit_compiler_parameters;

/// What a note of the compiler is about.
typedef enum vit_compiler_note {
  VIT_COMPILER_NOTE_MODEL = 0,   ///< The model itself: its weights, its labels.
  VIT_COMPILER_NOTE_PICTURES = 1 ///< How pictures are prepared.
} vit_compiler_note;

/// A request for vit_compiler_run. Set struct_size and zero the rest: zero is
/// the default of every field. Lists are separated by commas. The caller owns
/// all memory, which must stay valid during the call.
typedef struct vit_compiler_request {
  size_t struct_size; ///< sizeof(vit_compiler_request)
  vit_compiler_action action;

  const char *model;    ///< A .mlir text, or a folder with config.json.
  const char *weights;  ///< A file of weights for a text; NULL: none.
  int32_t allow_unused; ///< Non-zero: unused weights are not an error.
  /// "H" or "HxW" in pixels, or several, separated by commas: the size of
  /// pictures (see vit-set-image-size), each with an entry of its own. NULL:
  /// the model's own.
  const char *image_size;
  uint64_t seed;       ///< For parameters that come from their initialisers.
  const char *outputs; ///< Names, the first being the default; NULL: the
                       ///< model's own. See VIT_COMPILER_PRODUCT_PREFIX.
  const char *skip_passes;    ///< Of VIT_COMPILER_OPTIONAL_PASSES; NULL: none.
  const char *dump_directory; ///< Receives the text after each pass and the
                              ///< code of kernels; NULL: no dump.

  // VIT_COMPILER_COMPILE
  const char *output_path; ///< Written whole or not at all.
  const char *targets;     ///< Of cpu, vulkan and cuda; NULL: "cpu".
  const char *levels;      ///< Levels of these targets. A target without one
                           ///< in this list gets all of its levels. NULL: all.
  /// Any of "f32", "tf32", "f16", "bf16" and "int8", by commas; the first is
  /// the module's default. NULL: f32. In place of tf32 code for cpu and vulkan
  /// is in f32, which on_note tells.
  const char *precision;
  /// Products, by the names of VIT_COMPILER_PRODUCT_PREFIX, that are computed
  /// in at least a precision: NAME=PRECISION ("blocks.0.mlp.fc1=bf16"),
  /// separated by commas. NULL: none.
  const char *keep;
  /// Of the inputs of products, for code in int8: the JSON text of
  /// vit-calibrate, without the magnitudes of weights, which are added. NULL:
  /// none; then the two fields that use it must be zero.
  const char *statistics;
  double smooth_alpha;   ///< `alpha` of vit-calibrate; 0: no migration.
  int32_t static_scales; ///< Non-zero: `static-scales` of vit-calibrate.
  vit_compiler_parameters parameters;
  int64_t batch;   ///< Hint for tile sizes; 0: 1. Any batch stays right.
  int32_t threads; ///< Number that generate code; 0: one per core.

  const char *training; ///< Options of vit-generate-backward ("optimizer=sgd
                        ///< momentum=0.9"), or "" for its defaults. Adds the
                        ///< entry "train_step". NULL: no training.
  uint64_t training_memory; ///< Budget in bytes for the activations of a
                            ///< training step at `batch`; cheap values are
                            ///< recomputed to stay below it. 0: no budget; only
                            ///< elementwise values are recomputed.
  uint64_t bucket_bytes;    ///< Of the buckets in which a training step that
                            ///< accumulates sums its gradients over ranks: see
                            ///< vit-distribute. 0: it does not.

  // VIT_COMPILER_EVALUATE
  const vit_tensor *inputs; ///< f32 or f64, by name; name NULL: by position.
  int32_t input_count;

  // Callbacks; each may be NULL. They are called in the caller's process, on
  // its thread, during the call, and must not throw.
  void *context;
  /// One output of an evaluation: f64, row-major, valid during the call.
  void (*on_output)(void *context, const vit_tensor *output);
  /// A finished phase ("import", "passes avx512", ...) and its seconds.
  void (*on_phase)(void *context, const char *phase, double seconds);
  /// What was assumed, or read in another way than the files say: a line for a
  /// person to read.
  void (*on_note)(void *context, vit_compiler_note about, const char *text);
  /// The whole text of an error, which vit_error may truncate.
  void (*on_error)(void *context, const char *text);
} vit_compiler_request;

/// Does what `request` asks for. May be called from several threads at once,
/// but not while another thread uses LLVM by other means: the child would
/// inherit its locks. Errors: VIT_NOT_FOUND (no such model, weights or output),
/// VIT_INVALID_ARGUMENT (an invalid model or option), VIT_CORRUPT,
/// VIT_UNSUPPORTED, VIT_IO_ERROR (the output could not be written),
/// VIT_OUT_OF_MEMORY, VIT_INTERNAL (a fatal error or crash of the compiler,
/// or no process could be started).
VIT_API vit_status vit_compiler_run(const vit_compiler_request *request,
                                    vit_error *error);
typedef vit_status (*vit_compiler_run_function)(
    const vit_compiler_request *request, vit_error *error);

#ifdef __cplusplus
}
#endif

#endif // VIT_COMPILER_H
