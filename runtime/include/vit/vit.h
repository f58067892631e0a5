//===- vit.h - The vit runtime's C API ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Loads a `.vitm` module and runs its entries. Four kinds of object:
///
/// - `vit_module`: what a .vitm file holds. Immutable, may be used from any
///   number of threads at once.
/// - `vit_parameters`: the weights of a module. Shared by the sessions made
///   over it; a write is seen by each session's next call.
/// - `vit_session`: a workspace and worker threads; calls any entry. One
///   thread at a time.
/// - `vit_error`: the message of a failed call, in memory of the caller.
///
/// Every call that can fail returns a vit_status and, where `error` is not
/// NULL, writes one sentence there that says what is wrong and what to do.
/// Nothing here aborts, exits or throws. Objects are reference counted:
/// `create` and `load` give one reference, `release` gives it back and accepts
/// NULL.
///
/// Inside other programs:
///
/// - fork: not during a call. A child may use, release or leave alone what its
///   parent made for the CPU; its calls of a session of the parent run on the
///   calling thread. GPUs do not survive a fork.
/// - Floats: calls compute with subnormal numbers, rounding to nearest and
///   without traps, whatever the calling thread does, and leave its settings
///   as they were. Callbacks see the former.
/// - Stacks: 24 KiB suffice for every call on the CPU.
/// - Files: a module or weight file may be removed or replaced by renaming. One
///   that is cut short in place while it is mapped fails the call that reads
///   it, and later ones, with VIT_IO_ERROR; other changes in place have
///   undefined results. For this there is the only global state, a handler of
///   SIGBUS, which passes on what does not concern it. A host that installs its
///   own later should do the same, and not block that signal.
/// - Versions: several versions of the library may be loaded, each by dlopen
///   with RTLD_LOCAL.
///
//===----------------------------------------------------------------------===//

#ifndef VIT_VIT_H
#define VIT_VIT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define VIT_API __attribute__((visibility("default")))
#else
#define VIT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define VIT_VERSION_MAJOR 0
#define VIT_VERSION_MINOR 1
#define VIT_VERSION_PATCH 0

/// The version of the library as "0.1.0". Static storage.
VIT_API const char *vit_version(void);

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

typedef enum vit_status {
  VIT_OK = 0,
  VIT_INVALID_ARGUMENT = 1, ///< The caller passed something that cannot be.
  VIT_NOT_FOUND = 2,        ///< No such file, entry, output or parameter.
  VIT_IO_ERROR = 3,         ///< The system refused to read or write.
  VIT_CORRUPT = 4,          ///< A file is damaged or lies about itself.
  VIT_UNSUPPORTED = 5,   ///< Well formed, but not on this machine or version.
  VIT_OUT_OF_MEMORY = 6, ///< An allocation failed.
  VIT_OVER_BUDGET = 7,   ///< Would need more memory than was allowed.
  VIT_CANCELLED = 8,     ///< The progress callback asked to stop.
  VIT_INTERNAL = 9,      ///< A defect of vit itself.
  VIT_DEVICE_LOST = 10   ///< The GPU is gone: this session cannot go on, a new
                         ///< one may. The call's outputs are of no use.
} vit_status;

/// The message of a failed call. Owned by the caller, usually on the stack.
/// Untouched where the call succeeds.
typedef struct vit_error {
  char message[1024]; ///< NUL terminated, one line, no trailing full stop.
} vit_error;

/// The name of a status, as "VIT_CORRUPT". Static storage.
VIT_API const char *vit_status_name(vit_status status);

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

typedef enum vit_dtype {
  VIT_F32 = 0,
  VIT_BF16 = 1,
  VIT_F16 = 2,
  VIT_I32 = 3,
  VIT_I64 = 4,
  VIT_U8 = 5,
  VIT_F64 = 6
} vit_dtype;

#define VIT_MAX_RANK 8

/// Where the elements of a tensor are.
typedef enum vit_memory {
  VIT_HOST = 0,
  VIT_DEVICE = 1 ///< In the memory of the session's GPU.
} vit_memory;

/// The bytes of one element, 0 for a value that is no dtype.
VIT_API size_t vit_dtype_size(vit_dtype dtype);

/// A view of row-major memory that the caller owns. Where `rank` is 0, an
/// output takes the shape that the entry gives it: the call writes dtype, rank
/// and dims.
typedef struct vit_tensor {
  const char *name; ///< Name of the input or output; NULL: the default one.
  void *data;       ///< Row-major elements, no padding, aligned to the element.
  size_t size; ///< Bytes at `data`: at least the product of dims x element.
  vit_dtype dtype;
  int32_t rank;
  int64_t dims[VIT_MAX_RANK]; ///< dims[0] is the batch.
  /// VIT_DEVICE is for inputs and outputs of sessions on CUDA: `data` is an
  /// address of the device, such as that of a framework's tensor (DLPack: data
  /// + byte_offset of a kDLCUDA tensor), in the primary context. What writes an
  /// input must have ended before the call; outputs are complete when it
  /// returns, and may have been written where it fails. Kernels read and write
  /// such a tensor where it is, without a copy, if it is in memory of the
  /// session's device, its address is a multiple of 16 and, for an output, it
  /// shares no bytes with another tensor of the call in device memory;
  /// otherwise it is copied within or between devices.
  vit_memory memory;
} vit_tensor;

//===----------------------------------------------------------------------===//
// Callbacks
//===----------------------------------------------------------------------===//

/// Where memory comes from. `allocate` returns memory aligned to `alignment`, a
/// power of two from 64 to 2 MiB, or NULL where it has none; vit then fails the
/// call with VIT_OUT_OF_MEMORY. Both may be called from the thread
/// that calls vit only. File mappings and thread stacks do not go through it.
typedef struct vit_allocator {
  void *context;
  void *(*allocate)(void *context, size_t size, size_t alignment);
  void (*deallocate)(void *context, void *memory);
} vit_allocator;

/// Runs `work(argument, i)` for each i in [0, count), on any threads, and
/// returns when all have run: the host's own pool in place of vit's.
typedef void (*vit_parallel_for)(void *context, size_t count,
                                 void (*work)(void *argument, size_t index),
                                 void *argument);

/// One finished command of a run, for profilers and traces. `name` is what the
/// user knows the work by ("vit.encoder.layer.3.intermediate.dense"), valid
/// during the call. Times are nanoseconds of CLOCK_MONOTONIC; a GPU's own
/// timestamps, which come after the whole call, are mapped onto that clock.
/// Copies of inputs to a GPU and of outputs back are events called "upload" and
/// "download" with the kernel "copy".
typedef struct vit_event {
  const char *name;
  const char *kernel;
  uint64_t begin_ns;
  uint64_t end_ns;
  double flop; ///< Multiply and add count two; 0 where it is not a product.
} vit_event;
typedef void (*vit_event_callback)(void *context, const vit_event *event);

/// Asked between commands (on a GPU: between submissions, of which a call may
/// be a single one); returning non-zero ends the run: VIT_CANCELLED.
typedef int (*vit_cancel_callback)(void *context);

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

typedef struct vit_module vit_module;

typedef struct vit_module_options {
  size_t struct_size;             ///< sizeof(vit_module_options)
  const vit_allocator *allocator; ///< NULL: malloc and free. Copied.
  int verify_weights;             ///< Non-zero: hash the weight segments too.
  const char *level; ///< CPU level to use at most; NULL: the best that the
                     ///< processor and VIT_CPU_LEVEL allow.
  uint64_t seed;     ///< For parameters that come from their initialisers.
} vit_module_options;

/// Opens, checks and maps a `.vitm` file. Weights stay on disk until they are
/// touched. `options` may be NULL. A module without code for this machine
/// loads, so that it can be described; vit_session_create then fails.
///
/// A module holds native code, which runs with all rights of the process. The
/// checks find damage, not malice: load only modules that you trust as you
/// would trust a program.
VIT_API vit_status vit_module_load(const char *path,
                                   const vit_module_options *options,
                                   vit_module **out_module, vit_error *error);

/// The same from memory, which must outlive the module and be aligned to 64
/// bytes. `directory` is where referenced weight files are looked for; may be
/// NULL where there are none.
VIT_API vit_status vit_module_load_memory(const void *data, size_t size,
                                          const char *directory,
                                          const vit_module_options *options,
                                          vit_module **out_module,
                                          vit_error *error);

VIT_API void vit_module_retain(vit_module *module);
VIT_API void vit_module_release(vit_module *module);

/// An input or output of an entry. Pointers live as long as the module.
typedef struct vit_binding_info {
  const char *name;
  const char *alias; ///< A second name, or NULL.
  vit_dtype dtype;
  int32_t rank;
  int64_t dims[VIT_MAX_RANK]; ///< -1 where the batch stands.
} vit_binding_info;

typedef struct vit_entry_info {
  const char *name; ///< "forward"
  int32_t input_count;
  int32_t output_count; ///< The first output is the default one.
} vit_entry_info;

VIT_API int32_t vit_module_entry_count(const vit_module *module);
VIT_API vit_status vit_module_entry(const vit_module *module, int32_t index,
                                    vit_entry_info *out_info, vit_error *error);
/// The name of precision number `index` of an entry's code ("f32", "tf32",
/// "f16", "bf16", "int8"), the default one first; NULL where there are fewer,
/// and where there is no such entry. `entry` NULL: the first. A precision is
/// the type of the operands of products; sums are f32, of int8 exact integers.
/// Operands beyond the range of f16 become NaN. Static storage.
VIT_API const char *vit_module_precision(const vit_module *module,
                                         const char *entry, int32_t index);
/// `entry` NULL: the first.
VIT_API vit_status vit_module_input(const vit_module *module, const char *entry,
                                    int32_t index, vit_binding_info *out_info,
                                    vit_error *error);
VIT_API vit_status vit_module_output(const vit_module *module,
                                     const char *entry, int32_t index,
                                     vit_binding_info *out_info,
                                     vit_error *error);

/// The label of a class, NULL where the module has none for it.
VIT_API const char *vit_module_label(const vit_module *module, int32_t index);
VIT_API int32_t vit_module_label_count(const vit_module *module);

/// What the logits mean, as `problem_type` of transformers' config.json:
/// "single_label_classification", "multi_label_classification" or "regression";
/// NULL where the model does not say.
VIT_API const char *vit_module_problem_type(const vit_module *module);

/// The function that turns logits into scores.
typedef enum vit_score_function {
  VIT_SOFTMAX = 0,    ///< One class per picture: probabilities that sum to 1.
  VIT_SIGMOID = 1,    ///< Each class by itself: probabilities from 0 to 1.
  VIT_NO_FUNCTION = 2 ///< The logits are values of a regression.
} vit_score_function;

/// The function that transformers' pipeline applies to the logits of this
/// model: none for regression, the sigmoid for multi_label_classification and
/// for a single logit, else softmax. vit_data_top_scores applies it.
VIT_API vit_score_function vit_module_score_function(const vit_module *module);

/// The tokens that the layers process: `before_patches` tokens, then rows *
/// columns patches, row by row. A row or a column of attention probabilities
/// ("attention_0", [batch, heads, tokens, tokens]: each row says where one
/// token looks) and the second dimension of "hidden_0" are in this order.
typedef struct vit_token_info {
  size_t struct_size;         ///< sizeof(vit_token_info), set by the caller.
  int32_t before_patches;     ///< Those that are neither of the two below are
                              ///< registers.
  int32_t rows, columns;      ///< of the grid of patches
  int32_t class_token;        ///< Its number, -1: there is none.
  int32_t distillation_token; ///< The same.
} vit_token_info;

/// The tokens of the first entry. Errors: VIT_NOT_FOUND where the module does
/// not say: its text lacks vit.prefix_tokens, or an older version compiled it.
VIT_API vit_status vit_module_tokens(const vit_module *module,
                                     vit_token_info *out, vit_error *error);
/// The tokens of `entry`, where a module has entries for pictures of several
/// sizes (`vit-compile --image-size 224,384`). NULL: the first entry. Errors
/// also: VIT_NOT_FOUND where there is no such entry.
VIT_API vit_status vit_module_entry_tokens(const vit_module *module,
                                           const char *entry,
                                           vit_token_info *out,
                                           vit_error *error);

/// How pictures become the input tensor, as the checkpoint's own library does.
/// See vit-data.h for what each field means there.
typedef struct vit_preprocessing {
  size_t struct_size;    ///< sizeof(vit_preprocessing), set by the caller.
  int32_t channels;      ///< 1: grey, 3: RGB
  int32_t height, width; ///< of the input tensor
  int32_t resize_height, resize_width; ///< 0: no resize. Where resize_width is
                                       ///< negative the aspect ratio is kept.
  int32_t center_crop;   ///< Non-zero: crop the middle to height x width.
  int32_t interpolation; ///< 0 nearest, 2 bilinear, 3 bicubic, ... (Pillow's)
  int32_t apply_exif_orientation;
  float scale;   ///< Multiplies the pixel (0..255), usually 1/255.
  float mean[4]; ///< Then (x - mean) / std per channel.
  float std[4];
} vit_preprocessing;
/// How pictures become the input of the first entry. Errors: VIT_NOT_FOUND
/// where the module does not say.
VIT_API vit_status vit_module_preprocessing(const vit_module *module,
                                            vit_preprocessing *out,
                                            vit_error *error);
/// How they become that of `entry`, as vit_module_entry_tokens.
VIT_API vit_status vit_module_entry_preprocessing(const vit_module *module,
                                                  const char *entry,
                                                  vit_preprocessing *out,
                                                  vit_error *error);

/// The whole description of the module (entries, kernels, tiles, plan,
/// parameters, derived forms) as JSON, in memory of the module's allocator;
/// give it back with vit_module_free_text.
VIT_API vit_status vit_module_describe(vit_module *module, char **out_json,
                                       vit_error *error);
VIT_API void vit_module_free_text(vit_module *module, char *text);

/// Bytes that one call of `entry` with this batch needs beside the weights on
/// the CPU, in its default precision: known from the plan, before anything
/// runs. A session adds the kernels' scratch memory per thread, some kilobytes,
/// and room for outputs that the caller leaves out; vit_session_workspace_size
/// knows it exactly, and for GPUs.
VIT_API vit_status vit_module_workspace_size(const vit_module *module,
                                             const char *entry, int64_t batch,
                                             uint64_t *out_bytes,
                                             vit_error *error);

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

typedef struct vit_parameters vit_parameters;

/// The module's weights: mapped where the file holds them in the form that the
/// kernels read; where it refers to other files or to initialisers, read and
/// converted when the first session over them is created that needs them.
/// Retains the module.
VIT_API vit_status vit_parameters_create(vit_module *module,
                                         vit_parameters **out_parameters,
                                         vit_error *error);
VIT_API void vit_parameters_retain(vit_parameters *parameters);
VIT_API void vit_parameters_release(vit_parameters *parameters);

VIT_API int32_t vit_parameters_count(const vit_parameters *parameters);
/// Name and logical shape (f32) of one parameter; `alias` is its tensor's name
/// in the checkpoint, where that is another one (several parameters may be rows
/// of one tensor). `dtype` is VIT_F32, or VIT_F16 or VIT_BF16 where the module
/// holds the values rounded to that alone, so that vit_parameters_read refuses
/// to read them.
VIT_API vit_status vit_parameters_info(const vit_parameters *parameters,
                                       int32_t index,
                                       vit_binding_info *out_info,
                                       vit_error *error);
/// Copies a parameter out of or into its logical row-major f32 form; `size` is
/// in bytes and must be exact. A write updates everything derived from it; no
/// session over these parameters may be running meanwhile. Values that the
/// module holds rounded only can be written, but not read: VIT_UNSUPPORTED. So
/// are values beyond 65504 where a session computes in f16.
VIT_API vit_status vit_parameters_read(const vit_parameters *parameters,
                                       const char *name, float *out_data,
                                       size_t size, vit_error *error);
VIT_API vit_status vit_parameters_write(vit_parameters *parameters,
                                        const char *name, const float *data,
                                        size_t size, vit_error *error);
/// The name of the first parameter that holds a NaN or an infinity, or NULL.
VIT_API const char *
vit_parameters_find_not_finite(const vit_parameters *parameters);

/// Whether an entry of the module (a training step) changes this parameter:
/// 1 or 0.
VIT_API int32_t vit_parameters_is_trained(const vit_parameters *parameters,
                                          int32_t index);

/// What training keeps beside the parameters: the optimizer's moments,
/// accumulated gradients, the seed of dropout. All zero until a step changes
/// them. Called like torch's: "exp_avg.fc1.weight.3", f32, or "random_seed",
/// two i32 words.
VIT_API int32_t vit_parameters_state_count(const vit_parameters *parameters);
VIT_API vit_status vit_parameters_state_info(const vit_parameters *parameters,
                                             int32_t index,
                                             vit_binding_info *out_info,
                                             vit_error *error);
/// Copies a state out or in; `size` is in bytes and must be exact.
VIT_API vit_status vit_parameters_state_read(const vit_parameters *parameters,
                                             const char *name, void *out_data,
                                             size_t size, vit_error *error);
VIT_API vit_status vit_parameters_state_write(vit_parameters *parameters,
                                              const char *name,
                                              const void *data, size_t size,
                                              vit_error *error);
/// Calls of vit_session_step that these parameters have seen, which is the
/// number of the next one; to be set when training goes on from a checkpoint.
VIT_API uint64_t vit_parameters_steps(const vit_parameters *parameters);
VIT_API void vit_parameters_set_steps(vit_parameters *parameters,
                                      uint64_t steps);
/// Sets the seed of dropout and stochastic depth; nothing where the module has
/// neither.
VIT_API void vit_parameters_seed(vit_parameters *parameters, uint64_t seed);

//===----------------------------------------------------------------------===//
// Training on several ranks
//===----------------------------------------------------------------------===//

/// The same ranks' communicator for memory of CUDA devices (NCCL): with it,
/// gradients of sessions on "cuda" do not pass through the host, and are
/// exchanged while the device computes the next ones.
///
/// `exchange`, `all_gather` and `all_reduce` do what those of vit_collective do
/// with memory of the session's device, in the order of `stream`, a CUstream:
/// what was submitted to it before has ended when they begin, what is submitted
/// afterwards begins when they have ended. They return when they are submitted.
/// vit calls them on the thread that calls vit_session_step, with the primary
/// context of the device current, on all ranks with the same sizes in the same
/// order. Memory is aligned to 64 bytes, and slices are multiples of 64 bytes.
///
/// Each rank has a device of its own: NCCL connects no device with itself.
/// Errors are handled as those of vit_collective.
typedef struct vit_device_collective {
  size_t struct_size; ///< sizeof(vit_device_collective)
  void *context;      ///< Must outlive the session.
  /// Called by vit_session_create before anything else, with the device's
  /// context current, to make a communicator. NULL: there is one.
  vit_status (*open)(void *context, vit_error *error);
  vit_status (*exchange)(void *context, const void *send, const size_t *sizes,
                         void *receive, void *stream, vit_error *error);
  vit_status (*all_gather)(void *context, void *data, const size_t *sizes,
                           void *stream, vit_error *error);
  /// NULL: there is VIT_REDUCE_ORDERED only.
  vit_status (*all_reduce)(void *context, float *data, size_t count,
                           void *stream, vit_error *error);
  /// Called again and again while the host waits for a stream that waits for
  /// other ranks. Fails if they will not come (ncclCommGetAsyncError, or what
  /// the application knows). NULL: vit waits until the stream ends.
  vit_status (*check)(void *context, vit_error *error);
  /// Called once, with the device's context current: when the session is
  /// released or, with `has_failed` 1, as soon as a step has failed. Then what
  /// waits in streams for other ranks has to end (ncclCommAbort). May be NULL.
  void (*close)(void *context, int32_t has_failed);
} vit_device_collective;

/// The communicator of a training run on several ranks: processes (MPI, NCCL),
/// or threads of one process with a session each. An application that has one
/// hands it to vit_session_create; vit calls nothing else to communicate.
///
/// All ranks call the same functions with the same sizes in the same order.
/// vit calls them from one thread of the session at a time, which is not the
/// thread that called vit_session_step, and from none when that has returned:
/// MPI needs MPI_THREAD_SERIALIZED. A function returns when this rank's part is
/// complete and its memory may be used again. While it waits it should sleep or
/// yield, since the session computes meanwhile on as many threads as it has.
/// Memory is of the host, aligned to 4 bytes, and belongs to vit.
///
/// A function that fails returns another status than VIT_OK and writes a
/// message; none may throw. The step then fails with both, on this rank, and
/// changes nothing. Later calls of the session fail in the same way without
/// calling the collective: ranks may have stopped at different places.
typedef struct vit_collective {
  size_t struct_size; ///< sizeof(vit_collective), or that of a version before
  void *context;      ///< Must outlive the session.
  int32_t rank;       ///< 0 to ranks - 1
  int32_t ranks;      ///< at least 1
  /// Sends slice q of `send` to rank q, for each q including this rank, and
  /// receives this rank's slice of each. Slices lie behind one another in
  /// `send`; `sizes[q]` is the bytes of slice q, the same on all ranks, and may
  /// be 0. `receive` gets `ranks` pieces of `sizes[rank]` bytes in the order of
  /// ranks. (MPI_Alltoallv.)
  vit_status (*exchange)(void *context, const void *send, const size_t *sizes,
                         void *receive, vit_error *error);
  /// Gives every rank all slices: `data` holds them behind one another, of
  /// `sizes[q]` bytes, and at the call only that of this rank.
  /// (MPI_Allgatherv with MPI_IN_PLACE.)
  vit_status (*all_gather)(void *context, void *data, const size_t *sizes,
                           vit_error *error);
  /// Replaces `data` by its sum over the ranks, in an order of the library's
  /// choice, with the same bits on all ranks. (MPI_Allreduce with
  /// MPI_IN_PLACE.) NULL: there is VIT_REDUCE_ORDERED only.
  vit_status (*all_reduce)(void *context, float *data, size_t count,
                           vit_error *error);
  /// Called once, from any thread, where a step of this rank fails for another
  /// reason, such as a lack of memory: the other ranks wait, or will, for what
  /// it no longer sends, and their functions should fail with `message`. May be
  /// NULL.
  void (*abort)(void *context, const char *message);
  /// For sessions on "cuda"; others do not use it. NULL: their gradients go
  /// through the host and the functions above, which the losses do in any case.
  /// Copied.
  const vit_device_collective *device;
} vit_collective;

/// How gradients are summed over the ranks.
typedef enum vit_reduction {
  /// In the order of ranks, with the additions of accumulated batches: each
  /// rank adds up a slice of each bucket. `exchange` and `all_gather` in each
  /// step. The bits are those of one rank.
  VIT_REDUCE_ORDERED = 0,
  /// Each rank accumulates its own gradients; `all_reduce` once per update.
  /// The same within rounding. Between two updates the states "gradient.*"
  /// hold this rank's part: a checkpoint has to contain their sum.
  VIT_REDUCE_FAST = 1
} vit_reduction;

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

typedef struct vit_session vit_session;

typedef struct vit_session_options {
  size_t struct_size;         ///< sizeof(vit_session_options)
  vit_parameters *parameters; ///< Retained. NULL: the session makes its own.
  /// 0: VIT_NUM_THREADS, or one per core that the affinity of the process and
  /// the CPU quota of its control group allow.
  int32_t threads;
  /// Bytes of workspace allowed. 0: on the CPU the memory of the machine or the
  /// limit of the process's control group, whichever is less; on a GPU no
  /// limit.
  uint64_t memory_budget;
  vit_parallel_for parallel_for; ///< NULL: a pool of the session's own.
  void *parallel_context;
  vit_event_callback on_event; ///< NULL: no timing is taken.
  void *event_context;
  vit_cancel_callback is_cancelled; ///< May be NULL.
  void *cancel_context;
  const char *device;    ///< NULL: "cpu". See below. Copied.
  const char *level;     ///< NULL: the best. See below. Copied.
  const char *precision; ///< "f32", "tf32", "f16", "bf16" or "int8"; NULL: the
                         ///< module's default for each entry. See below.
                         ///< Copied.
  /// Sums gradients over ranks: for modules compiled with a training step and
  /// --distribute; VIT_UNSUPPORTED for others. NULL: one rank. Copied. Each
  /// rank has parameters and a session of its own, and equal options.
  const vit_collective *collective;
  vit_reduction reduction;
} vit_session_options;

/// `options` may be NULL. Retains the module. `device` is one of
///
/// - "cpu": the level that vit_module_load chose,
/// - "vulkan", "vulkan:N", "vulkan:PART OF NAME": the best device, number N of
///   the list of vit_devices_describe, or the one of that name,
/// - "cuda", "cuda:N": device 0 or N.
///
/// `level` is, on the CPU, the level to use at most, where what vit_module_load
/// chose is higher; on a GPU the level whose code to use, instead of what suits
/// the device best or, on Vulkan, what VIT_VULKAN_LEVEL names.
/// VIT_INVALID_ARGUMENT if the device's kind has no such level.
///
/// `precision` chooses among the code that the module has (see
/// vit_module_precision): of that precision, the best level that the machine
/// has. VIT_UNSUPPORTED where no entry has code in it, VIT_INVALID_ARGUMENT if
/// there is no such precision. Devices that have no products of tf32, the CPU
/// and those of Vulkan, run code of f32 in its place, which vit_session_code
/// tells.
///
/// VIT_UNSUPPORTED where the module has no code that the device (for the CPU:
/// below VIT_CPU_LEVEL, if that is set) runs, or where there is no driver;
/// VIT_NOT_FOUND where there is no such device. `threads`, `parallel_for` and
/// its context serve the CPU alone. On a GPU the workspace and a copy of the
/// weights are in its memory.
VIT_API vit_status vit_session_create(vit_module *module,
                                      const vit_session_options *options,
                                      vit_session **out_session,
                                      vit_error *error);
VIT_API void vit_session_release(vit_session *session);

/// The code that a session runs. Static storage.
typedef struct vit_code_info {
  size_t struct_size;    ///< sizeof(vit_code_info), set by the caller.
  const char *level;     ///< "avx512", "tiled", "sm_80"
  const char *precision; ///< "f32", "tf32", "f16", "bf16", "int8"
  int32_t is_widened;    ///< 1: the level has no instruction for products in
                         ///< this precision; operands are widened to f32.
} vit_code_info;

/// The code that runs `entry` (NULL: the first). Errors as of vit_session_run.
VIT_API vit_status vit_session_code(const vit_session *session,
                                    const char *entry, vit_code_info *out,
                                    vit_error *error);

/// Calls `entry` (NULL: the first). The batch is dims[0] of the first input.
/// Outputs that are not named are not written. The workspace grows to the
/// largest batch seen. Same input, same bits: for any number of threads, in
/// any batch, in every run on one CPU level or one GPU. VIT_DEVICE_LOST where
/// the GPU fails, which each later call of the session then returns too.
VIT_API vit_status vit_session_run(vit_session *session, const char *entry,
                                   const vit_tensor *inputs,
                                   int32_t input_count, vit_tensor *outputs,
                                   int32_t output_count, vit_error *error);

/// Does what the first call of `entry` (NULL: the first) with this batch would
/// do besides computing, so that it takes no longer than later ones: makes the
/// workspace, loads weights and code, on a GPU compiles kernels where the
/// driver does that late. It runs the entry once on zeros. VIT_UNSUPPORTED for
/// an entry that changes parameters or states.
VIT_API vit_status vit_session_warm_up(vit_session *session, const char *entry,
                                       int64_t batch, vit_error *error);

/// One step of training.
///
/// Micro-batches are numbered from 0 over all ranks; vit_parameters_steps is
/// the number of the next one, on every rank. Micro-batch i belongs to rank
/// i % ranks. One call covers those from the next one up to the last rank's, or
/// `batches` if that is less: first up to a multiple of `ranks`, then one of
/// each rank. Their numbers select the random numbers of dropout. So N ranks
/// are the same training as one rank that accumulates: the module is compiled
/// with accumulate=K, K a multiple of N, and of its K / N calls per update the
/// last one has `update` set. Ranks may have different batch sizes.
///
/// A rank without a micro-batch in this call calls all the same, with any
/// images and targets of the model, which have no effect.
typedef struct vit_step {
  size_t struct_size;        ///< sizeof(vit_step)
  const vit_tensor *images;  ///< The first input: [batch, ...].
  const vit_tensor *targets; ///< Labels, i32 [batch], or f32 [batch, classes],
                             ///< as the module's "train_step" has them.
  float learning_rate;
  int32_t update;  ///< Non-zero: update the parameters ("train_step"). 0: only
                   ///< add up gradients ("accumulate_step").
  float loss;      ///< Out: the mean over the batch. On several ranks the mean
                   ///< of their losses, added in the order of ranks.
  int32_t correct; ///< Out: how many were classified right, over all ranks;
                   ///< -1: not known.
  int32_t batches; ///< Micro-batches of this call, the same on all ranks. 0: as
                   ///< many as possible. Fewer where an epoch or the run ends.
  float *losses;   ///< Out: of each micro-batch, in order of their numbers; has
                   ///< room for `ranks`. NULL: not wanted.
  int32_t *corrects; ///< Out: the same, how many were classified right.
} vit_step;

/// Runs "train_step" or "accumulate_step" with the next step's number: forward,
/// backward, and the parameters and states of the session's vit_parameters
/// updated in place. Other sessions over them see that at their next call; none
/// may be running meanwhile. All or nothing: a step that fails, is cancelled,
/// or whose loss is not finite (which is VIT_OK: look at `loss`) changes
/// nothing and is not counted; on several ranks that holds for all of them if
/// it does for one. VIT_UNSUPPORTED where the module has no such entry,
/// VIT_INVALID_ARGUMENT where a label is no class of the model. Same bits for
/// any number of threads and in every run.
VIT_API vit_status vit_session_step(vit_session *session, vit_step *step,
                                    vit_error *error);

/// Where a NaN or infinity first appears: runs `entry` without changing any
/// parameter or state and writes the name of the first command whose result
/// holds one, "" where none does. Inputs as for vit_session_run. For sessions
/// on the CPU; VIT_UNSUPPORTED elsewhere.
VIT_API vit_status vit_session_find_not_finite(
    vit_session *session, const char *entry, const vit_tensor *inputs,
    int32_t input_count, char *out_name, size_t size, vit_error *error);

/// Bytes of workspace that the session needs for one call of `entry` (NULL: the
/// first) with this batch where the caller gives all outputs: what
/// `memory_budget` is compared with. On a GPU inputs and outputs count too.
VIT_API vit_status vit_session_workspace_size(const vit_session *session,
                                              const char *entry, int64_t batch,
                                              uint64_t *out_bytes,
                                              vit_error *error);

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

/// What this machine offers: a JSON array with an object per device; free it
/// with free(). Each has "device" (what vit_session_options takes: "cpu",
/// "vulkan:0", "cuda:0"), "name", and "level", the best code that it runs. A
/// GPU has the "precisions" of that level, one of CUDA its "id", as
/// `nvidia-smi -L` writes it. The CPU has "levels", all that the
/// processor has the features of, each with the "precisions" that it has code
/// of its own for: in others it runs what is compiled for a lower level.
/// Where there is no driver or none that vit can use, an object with "device"
/// ("vulkan", "cuda") and "unavailable" says why. `family` ("cpu", "vulkan" or
/// "cuda"; NULL: all) limits it to devices of one kind; only their drivers are
/// opened, which takes time and memory.
VIT_API vit_status vit_devices_describe(const char *family, char **out_json,
                                        vit_error *error);

#ifdef __cplusplus
}
#endif

#endif // VIT_VIT_H
