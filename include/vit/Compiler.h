//===- Compiler.h - The compiler's one function in C ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What libvit-compiler.so offers to programs that do not want LLVM linked in:
// one function, found with dlopen and dlsym. It turns a model (a checkpoint's
// folder or a text) into a `.vitm` file, or evaluates it with the reference
// interpreter in double.
//
// The work is done in a child process, made with fork(), which ends with the
// call. Whatever happens to it is a status and a text here: an error in the
// model, a fatal error of LLVM, a failed allocation on any of its threads, a
// crash. This process keeps none of the compiler's memory, and does not abort,
// exit or throw.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_COMPILER_H
#define VIT_COMPILER_H

#include "vit/vit.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The passes that skip_passes may name. Results stay the same without them.
#define VIT_COMPILER_OPTIONAL_PASSES "simplify,narrow-tokens,fuse"

/// Another name of the output "logits": that of Hugging Face's models.
#define VIT_COMPILER_LOGITS_ALIAS "classification_head_logits"

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

/// What vit_compiler_run is to do. Set struct_size and zero the rest: every
/// zero is a default. Lists are separated by commas. All pointers stay the
/// caller's and need to live during the call only.
typedef struct vit_compiler_request {
  size_t struct_size; ///< sizeof(vit_compiler_request)
  vit_compiler_action action;

  const char *model;    ///< A .mlir text, or a folder with config.json.
  const char *weights;  ///< A .safetensors for a text; NULL: none.
  int32_t allow_unused; ///< Non-zero: weights that nothing uses are no error.
  uint64_t seed;        ///< For parameters that come from their initialisers.
  const char *outputs;  ///< Names, the first being the default; NULL: the
                        ///< model's own.
  const char *skip_passes;    ///< Of VIT_COMPILER_OPTIONAL_PASSES; NULL: none.
  const char *dump_directory; ///< Where the text after each pass and the
                              ///< kernels' code go; NULL: nowhere.

  // VIT_COMPILER_COMPILE
  const char *output_path; ///< Written whole or not at all.
  const char *targets;     ///< Of cpu, vulkan and cuda; NULL: "cpu".
  const char *levels;      ///< Of any of these targets; a target of which it
                           ///< names none gets all of its levels. NULL: all.
  const char *precision;   ///< "f32"; NULL: the same.
  vit_compiler_parameters parameters;
  int64_t batch;   ///< Hint for tile sizes; 0: 1. Any batch stays right.
  int32_t threads; ///< That generate code; 0: one per core.

  const char *training; ///< Options of vit-generate-backward ("optimizer=sgd
                        ///< momentum=0.9"), "" for its defaults: the module
                        ///< also gets "train_step". NULL: no training.
  uint64_t training_memory; ///< Bytes that a training step's activations may
                            ///< take at `batch`; what is cheap is computed
                            ///< twice to stay below. 0: no budget; values made
                            ///< element by element are computed twice.

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
  /// The whole text of an error, which vit_error may have to cut short.
  void (*on_error)(void *context, const char *text);
} vit_compiler_request;

/// Does what `request` asks for. May be called from several threads at once,
/// but not while another thread uses LLVM by other means: the child would
/// inherit its locks. Errors: VIT_NOT_FOUND (no such model, weights or output),
/// VIT_INVALID_ARGUMENT (a model or option that cannot be), VIT_CORRUPT,
/// VIT_UNSUPPORTED, VIT_IO_ERROR (the output could not be written),
/// VIT_OUT_OF_MEMORY, VIT_INTERNAL (the compiler gave up or crashed, or no
/// process could be started).
VIT_API vit_status vit_compiler_run(const vit_compiler_request *request,
                                    vit_error *error);
typedef vit_status (*vit_compiler_run_function)(
    const vit_compiler_request *request, vit_error *error);

#ifdef __cplusplus
}
#endif

#endif // VIT_COMPILER_H
