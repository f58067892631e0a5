//===- vit-data.h - Pictures, weights and data sets, in C -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// libvit-data: what stands between files and tensors. Pictures decoded,
/// resized and normalised as Pillow and the checkpoint's own library do it, the
/// npy and safetensors formats, and data sets.
///
/// It takes types from vit.h and needs no function of libvit-runtime. Nothing
/// read from a file is trusted: every size is checked before memory is asked
/// for. Files are written beside their final name and renamed, so that a failed
/// call leaves no partial file. No call aborts, exits or throws, and there is
/// no global state. Paths are bytes, as open(2) takes them. Where a call fails,
/// its outputs are untouched.
///
//===----------------------------------------------------------------------===//

#ifndef VIT_VIT_DATA_H
#define VIT_VIT_DATA_H

#include "vit/vit.h"

#ifdef __cplusplus
extern "C" {
#endif

//===----------------------------------------------------------------------===//
// Pictures
//===----------------------------------------------------------------------===//

/// A picture of 8-bit samples: height x width x channels, row-major, without
/// padding. `pixels` of a picture that a call here returned is given back with
/// vit_image_release; an app may also fill one in over memory of its own.
typedef struct vit_image {
  int32_t width, height;
  int32_t channels; ///< 1: grey, 3: RGB
  uint8_t *pixels;
} vit_image;

/// Pictures of more pixels are refused before anything is allocated, unless
/// the options say otherwise: twice Pillow's MAX_IMAGE_PIXELS, where Pillow
/// raises DecompressionBombError.
#define VIT_IMAGE_MAX_PIXELS ((uint64_t)178956970)

typedef struct vit_image_options {
  size_t struct_size;             ///< sizeof(vit_image_options)
  int32_t channels;               ///< 1: grey, 3 or 0: RGB
  int32_t apply_exif_orientation; ///< Non-zero: turn it as its EXIF tag says.
  uint64_t max_pixels;            ///< 0: VIT_IMAGE_MAX_PIXELS
} vit_image_options;

/// Decodes a picture to what Pillow's Image.open(path).convert("RGB" or "L")
/// gives: PNG (every colour type and depth, the first frame of an animation),
/// JPEG (grey, RGB, CMYK, progressive), BMP (uncompressed) and binary PGM/PPM.
/// PNG, BMP and PPM are exact. Alpha is dropped, not blended. Grey of 16 bits
/// (PNG, PGM) differs: it is scaled to 8 bits (value * 255 / largest, rounded),
/// as colour is and as torchvision does, where Pillow clips all values above
/// 255. See vit_image_set_warning for what holds fewer bits.
/// `options` may be NULL: RGB, orientation ignored.
/// Errors: VIT_NOT_FOUND, VIT_IO_ERROR, VIT_CORRUPT (truncated or damaged),
/// VIT_UNSUPPORTED (another format, or more pixels than allowed),
/// VIT_OUT_OF_MEMORY.
VIT_API vit_status vit_image_load(const char *path,
                                  const vit_image_options *options,
                                  vit_image *out_image, vit_error *error);
/// The same from memory; `name` is what errors call it, may be NULL.
VIT_API vit_status vit_image_load_memory(const void *data, size_t size,
                                         const char *name,
                                         const vit_image_options *options,
                                         vit_image *out_image,
                                         vit_error *error);
/// From now on, in any thread, `warn` is called with a line for each picture of
/// 16 bits that is decoded and whose samples are all below 4096, that is nearly
/// black: 12 bits may have been meant. One call at a time. NULL: none, which is
/// the default.
VIT_API void vit_image_set_warning(void (*warn)(void *context,
                                                const char *text),
                                   void *context);
/// Frees `pixels` and zeroes the struct. NULL and a zeroed struct are accepted.
VIT_API void vit_image_release(vit_image *image);
/// Whether `path` has an extension of a picture that vit_image_load decodes, in
/// any capitals: .jpg, .jpeg, .jpe, .jfif, .png, .ppm, .pgm, .bmp. NULL: 0.
VIT_API int32_t vit_image_has_extension(const char *path);

/// Resizes as Pillow's Image.resize does, bit for bit, with antialiasing where
/// the picture shrinks. `interpolation`: Pillow's codes, 0 nearest, 1 lanczos,
/// 2 bilinear, 3 bicubic, 4 box, 5 hamming.
VIT_API vit_status vit_image_resize(const vit_image *image, int32_t height,
                                    int32_t width, int32_t interpolation,
                                    vit_image *out_image, vit_error *error);

/// Writes an 8-bit grey or RGB PNG; an existing file is replaced whole.
VIT_API vit_status vit_image_save_png(const vit_image *image, const char *path,
                                      vit_error *error);

/// Blends `map` (map_height x map_width, row-major, such as one row of
/// attention probabilities over the patches) over an RGB picture in place: the
/// map is stretched to [0, 1] from its least to its largest value, enlarged
/// bilinearly (edges held, as align_corners=False), coloured from dark blue
/// over green to yellow and mixed in with `opacity` (0..1; 0.6 is usual).
/// Errors: VIT_INVALID_ARGUMENT, also where the map holds a NaN or infinity.
VIT_API vit_status vit_image_blend_heatmap(vit_image *image, const float *map,
                                           int32_t map_height,
                                           int32_t map_width, float opacity,
                                           vit_error *error);

//===----------------------------------------------------------------------===//
// Preprocessing: from picture to input tensor
//===----------------------------------------------------------------------===//

/// Turns a picture into `channels x height x width` floats at `out`.
/// Errors: VIT_INVALID_ARGUMENT where the fields contradict each other, or the
/// picture has not the size of the tensor and nothing says how to get there.
///
/// The fields of vit_preprocessing, in the order in which they apply:
/// - apply_exif_orientation, when decoding: 1 as transformers' load_image, 0 as
///   torchvision's ImageFolder and timm
/// - channels: convert("L") or convert("RGB")
/// - resize_height, resize_width:
///   - 0, any: no resize
///   - H, W: to H x W, aspect ratio given up
///   - H, -1: the shorter edge becomes H, the longer int(H * long / short):
///     torchvision's Resize(H), transformers' "shortest_edge"
///   - H, -W (W > 1): as small as covers H x W, aspect ratio kept: timm's
///     ResizeKeepRatio, which it takes where input is not square
///   - -H, -W: as large as fits into H x W, aspect ratio kept: open_clip's
///     resize_mode "longest"
/// - interpolation: 0 nearest, 2 bilinear, 3 bicubic; 1, 4, 5 as
///   vit_image_resize. Plus 16: the resized values are not rounded and may
///   exceed 0 to 255, as in transformers' DINOv3ViTImageProcessor
/// - center_crop: 0 none; 1 the middle height x width as torchvision (offset
///   rounded half to even); 2 as transformers (offset rounded down). What a
///   smaller picture lacks is filled with zeros, as both do.
/// - scale, mean, std: (pixel * scale - mean) / std, stored channel first
VIT_API vit_status vit_image_preprocess(const vit_image *image,
                                        const vit_preprocessing *preprocessing,
                                        float *out, vit_error *error);

/// Reads what a model folder says: transformers' preprocessor_config.json or
/// the image_processor of its processor_config.json (ViTImageProcessor, DeiT,
/// CLIP and alike), else `pretrained_cfg` of timm's config.json or
/// `preprocess_cfg` of open_clip_config.json, else, for config.json alone, the
/// default of the model's own library, to its image_size. The caller sets
/// out->struct_size.
/// Errors: VIT_NOT_FOUND, VIT_CORRUPT (not JSON, or a wrong type or value,
/// named), VIT_UNSUPPORTED (a step that has no counterpart here, named).
VIT_API vit_status vit_preprocessing_from_folder(const char *path,
                                                 vit_preprocessing *out,
                                                 vit_error *error);
/// The same from the text of the two files; either may be NULL, not both.
VIT_API vit_status vit_preprocessing_from_json(const char *preprocessor_config,
                                               const char *config,
                                               vit_preprocessing *out,
                                               vit_error *error);
/// Where the values of vit_preprocessing_from_folder come from, a clause for a
/// person to read, written to `buffer`: "preprocessor_config.json of DIR", or
/// "DIR has no preprocessor_config.json: the default of transformers'
/// DeiTImageProcessor is assumed". *is_default, which may be NULL: nothing in
/// the folder says how pictures are prepared.
/// Errors: as vit_preprocessing_from_folder.
VIT_API vit_status vit_preprocessing_source(const char *path,
                                            int32_t *is_default, char *buffer,
                                            size_t size, vit_error *error);

/// Loads and preprocesses one picture into a new tensor f32 [1, channels,
/// height, width], ready to be an input of vit_session_run. Give it back with
/// vit_tensor_release.
VIT_API vit_status vit_data_load_picture(const char *path,
                                         const vit_preprocessing *preprocessing,
                                         vit_tensor *out_tensor,
                                         vit_error *error);
/// Several pictures into one batch [count, channels, height, width].
VIT_API vit_status
vit_data_load_pictures(const char *const *paths, int64_t count,
                       const vit_preprocessing *preprocessing,
                       vit_tensor *out_tensor, vit_error *error);

/// Frees the memory of a tensor that a call here allocated and zeroes the
/// struct. NULL and a zeroed struct are accepted.
VIT_API void vit_tensor_release(vit_tensor *tensor);

/// The k largest of `count` logits, largest first (ties: lower index first),
/// with their softmax probability over all of them. Either output may be NULL.
/// Errors: VIT_INVALID_ARGUMENT where k is not in [1, count] or a logit is NaN
/// or infinite.
VIT_API vit_status vit_data_top_k(const float *logits, int64_t count, int32_t k,
                                  int32_t *out_indices,
                                  float *out_probabilities, vit_error *error);

/// The same with the scores that `function` gives (vit_module_score_function):
/// softmax, the sigmoid of each logit, or the logits themselves. None of them
/// changes the order.
VIT_API vit_status vit_data_top_scores(const float *logits, int64_t count,
                                       int32_t k, vit_score_function function,
                                       int32_t *out_indices, float *out_scores,
                                       vit_error *error);

//===----------------------------------------------------------------------===//
// npy
//===----------------------------------------------------------------------===//

/// Reads an array that numpy.save wrote (format 1, 2, 3; little endian f2, f4,
/// f8, i4, i8, u1; C order; at most VIT_MAX_RANK dimensions) into a new tensor,
/// name NULL. Give it back with vit_tensor_release. Memory is asked for only
/// when the file is as long as its header says.
VIT_API vit_status vit_npy_read(const char *path, vit_tensor *out_tensor,
                                vit_error *error);
/// The same from memory; `name` is what errors call it, may be NULL.
VIT_API vit_status vit_npy_read_memory(const void *data, size_t size,
                                       const char *name, vit_tensor *out_tensor,
                                       vit_error *error);
/// Writes format 1. bf16, which npy does not have, is written as f4, exactly.
VIT_API vit_status vit_npy_write(const char *path, const vit_tensor *tensor,
                                 vit_error *error);

/// Converts `count` elements to f32 or f64: exact from f16, bf16, f32 and u8,
/// rounded to nearest from what is wider than the result. `data` needs no
/// alignment.
VIT_API vit_status vit_data_to_f32(vit_dtype dtype, const void *data,
                                   int64_t count, float *out, vit_error *error);
VIT_API vit_status vit_data_to_f64(vit_dtype dtype, const void *data,
                                   int64_t count, double *out,
                                   vit_error *error);

//===----------------------------------------------------------------------===//
// Weights: safetensors, and what torch.save writes
//===----------------------------------------------------------------------===//

/// The tensors of one file of weights or of a sharded set, mapped and
/// immutable; may be used from any number of threads at once.
typedef struct vit_weights vit_weights;

/// A tensor in a file. Pointers live as long as the vit_weights.
typedef struct vit_weight_info {
  const char *name;
  const char *dtype_name; ///< As in safetensors: "F32", "BF16", "BOOL", ...
  int32_t dtype; ///< The vit_dtype, or -1 where vit has none for dtype_name.
  int32_t rank;
  int64_t dims[VIT_MAX_RANK]; ///< A dimension may be 0: the tensor is empty.
  const void *data;           ///< Mapped, not always aligned to the element;
                              ///< see vit_weights_check_files.
  uint64_t size;              ///< Bytes
  const char *file;           ///< The path of the file that holds it
  uint64_t file_offset;       ///< of `data` in that file. 0: `data` is a copy,
                              ///< since a view in a PyTorch file has gaps.
} vit_weight_info;

/// Opens a .safetensors file; one that torch.save wrote (*.bin, *.pth, *.pt: a
/// state dict, or a training script's checkpoint that holds one), of which no
/// code is run; an index of several files, named *.json; or a folder that holds
/// model.safetensors, open_clip_model.safetensors, pytorch_model.bin,
/// open_clip_pytorch_model.bin, model.pth, model.pt or an index, which are
/// preferred in this order. What a file is its content says. Checks all but the
/// elements: lengths, shapes, that tensors lie in the file (in a .safetensors
/// file, fill it without gap or overlap), that names are unique and every one
/// of an index is where it says. Errors: VIT_NOT_FOUND, VIT_IO_ERROR,
/// VIT_CORRUPT, VIT_UNSUPPORTED (more than VIT_MAX_RANK dimensions; a file of
/// torch.save that holds code, or several state dicts of which VIT_WEIGHTS_KEY
/// in the environment names none, or one that it does not hold).
VIT_API vit_status vit_weights_open(const char *path, vit_weights **out_weights,
                                    vit_error *error);
VIT_API void vit_weights_release(vit_weights *weights);

VIT_API int64_t vit_weights_count(const vit_weights *weights);
/// Tensors are in order of file and offset; those of a file of torch.save in
/// order of its state dict.
VIT_API vit_status vit_weights_info(const vit_weights *weights, int64_t index,
                                    vit_weight_info *out_info,
                                    vit_error *error);
/// The index of a name, -1 where there is none.
VIT_API int64_t vit_weights_find(const vit_weights *weights, const char *name);
/// A value of `__metadata__` ("format"), NULL where there is none.
VIT_API const char *vit_weights_metadata(const vit_weights *weights,
                                         const char *key);
/// What the user should know of what was opened, such as which of several parts
/// of a file was taken; NULL from the last `index` on.
VIT_API const char *vit_weights_note(const vit_weights *weights, int32_t index);
/// Copies `count` elements from element `first` on (row-major), widened.
/// Errors: VIT_INVALID_ARGUMENT (out of range), VIT_UNSUPPORTED (dtype).
VIT_API vit_status vit_weights_read_f32(const vit_weights *weights,
                                        int64_t index, int64_t first,
                                        int64_t count, float *out,
                                        vit_error *error);
VIT_API vit_status vit_weights_read_f64(const vit_weights *weights,
                                        int64_t index, int64_t first,
                                        int64_t count, double *out,
                                        vit_error *error);
/// To be called by whoever reads `data` of a vit_weight_info, afterwards: fails
/// with VIT_IO_ERROR if a file was cut short since it was opened. Bytes that it
/// has lost read as zeros; the functions above find that themselves.
VIT_API vit_status vit_weights_check_files(const vit_weights *weights,
                                           vit_error *error);

/// Writes `count` named tensors, in the order given, to one .safetensors file.
/// `metadata`: `metadata_count` pairs of key and value, may be NULL.
VIT_API vit_status vit_weights_write(const char *path,
                                     const vit_tensor *tensors, int64_t count,
                                     const char *const *metadata,
                                     int32_t metadata_count, vit_error *error);

//===----------------------------------------------------------------------===//
// Data sets
//===----------------------------------------------------------------------===//

/// Labelled pictures, immutable; may be used from any number of threads at
/// once.
typedef struct vit_dataset vit_dataset;

typedef struct vit_dataset_options {
  size_t struct_size; ///< sizeof(vit_dataset_options)
  const char *split;  ///< "train", "validation" or "test", or another name of
                      ///< a part (see below). Where there is only one of
                      ///< validation and test, both names mean it. NULL:
                      ///< validation, else test, else what there is.
  int64_t first;      ///< Picture to begin with, counted from 0.
  int64_t count;      ///< How many pictures; 0: all that follow.
  int32_t apply_exif_orientation; ///< For image folders.
} vit_dataset_options;

/// Opens a folder that holds one of:
/// - CIFAR-10 binary: data_batch_1.bin ... / test_batch.bin, batches.meta.txt
/// - CIFAR-10 python: data_batch_1 ... / test_batch, batches.meta
/// - MNIST idx: train-images-idx3-ubyte / t10k-images-idx3-ubyte and the labels
///   beside them, gzip or not
/// - an image folder: [PART/] CLASS / PICTURE, classes and pictures in byte
///   order of their names, as ImageFolder has them
///
/// A PART is a folder named train, training, val, valid, validation, dev, test,
/// testing, eval, ... in any capitals, alone or with words such as set, data,
/// images, seg, a year or a number before it ("seg_train", "Test Set",
/// "val2017", "traindata", "01_train"). Parts may be in the only folder of
/// `path`, and classes in a folder of the part's name in the part. Folders with
/// similar names ("train1", "tr") that hold folders of the same names are an
/// error rather than classes, and so is a link to a folder that it is in.
/// Pictures are .jpg, .jpeg, .jpe, .jfif, .png, .ppm, .pgm and .bmp.
/// The pictures of an image folder are decoded when asked for; the others are
/// read, and their labels checked, here. `options` may be NULL.
/// Errors: VIT_NOT_FOUND (no such data, or not that split), VIT_CORRUPT
/// (truncated, a label out of range, a part or a class without pictures, two
/// folders for one part), VIT_UNSUPPORTED; the file is named.
VIT_API vit_status vit_dataset_open(const char *path,
                                    const vit_dataset_options *options,
                                    vit_dataset **out_dataset,
                                    vit_error *error);
VIT_API void vit_dataset_release(vit_dataset *dataset);

/// "cifar10-binary", "cifar10-python", "mnist" or "folder". Static storage.
VIT_API const char *vit_dataset_format(const vit_dataset *dataset);
VIT_API int64_t vit_dataset_count(const vit_dataset *dataset);
VIT_API int32_t vit_dataset_class_count(const vit_dataset *dataset);
/// NULL where index is out of range. Lives as long as the data set.
VIT_API const char *vit_dataset_class_name(const vit_dataset *dataset,
                                           int32_t index);
/// The part that was opened: "train", "validation" or "test"; "" if the data
/// has no parts. Static storage.
VIT_API const char *vit_dataset_split(const vit_dataset *dataset);
/// The folder that the files, or the folders of the classes, are in. Lives as
/// long as the data set.
VIT_API const char *vit_dataset_folder(const vit_dataset *dataset);
/// What opening left out or took in place of something else, a clause for a
/// person to read: "left out, as files of their types are not read: 3 files
/// (.heic) of poles". NULL where index is out of range. Lives as long as the
/// data set.
VIT_API const char *vit_dataset_note(const vit_dataset *dataset, int32_t index);
/// The class of picture `index`, without reading the picture; -1 where index is
/// out of range.
VIT_API int32_t vit_dataset_label(const vit_dataset *dataset, int64_t index);
/// A hash of what the data is, wherever it lies: format, classes, and the
/// pictures' classes in order; for image folders also the pictures' names below
/// their class and the sizes of their files. Pixels are not read.
VIT_API vit_status vit_dataset_hash(const vit_dataset *dataset,
                                    uint64_t *out_hash, vit_error *error);
/// Picture `index` (counted from `first`) in RGB or, for MNIST, grey, and its
/// class. Give the picture back with vit_image_release. `out_label` may be
/// NULL.
VIT_API vit_status vit_dataset_get(const vit_dataset *dataset, int64_t index,
                                   vit_image *out_image, int32_t *out_label,
                                   vit_error *error);
/// Writes the file of picture `index`, followed by "#record" where one file
/// holds many, into `buffer` as snprintf does; returns its full length, 0 where
/// index is out of range.
VIT_API size_t vit_dataset_item_name(const vit_dataset *dataset, int64_t index,
                                     char *buffer, size_t size);
/// Loads and preprocesses pictures first .. first + count - 1 into
/// `out[count][channels][height][width]` and their classes into
/// `out_labels[count]`, which may be NULL. EXIF orientation is applied where
/// the preprocessing or the options of the data set say so.
VIT_API vit_status
vit_dataset_read_batch(const vit_dataset *dataset, int64_t first, int64_t count,
                       const vit_preprocessing *preprocessing, float *out,
                       int32_t *out_labels, vit_error *error);

//===----------------------------------------------------------------------===//
// Training batches
//===----------------------------------------------------------------------===//

/// Random changes to training pictures, in this order:
/// - crop_padding: torchvision.transforms.RandomCrop(size, padding): the
///   preprocessed picture gets so many black pixels on each side, and height x
///   width are cut out anywhere
/// - flip: RandomHorizontalFlip(0.5): one picture in two mirrored
/// - scale, mean and std, as preprocessing says
/// - erase: RandomErasing(p = erase, scale = (0.02, 0.33), ratio = (0.3, 3.3),
///   value = 0): a rectangle of random area and shape becomes zero, i.e. the
///   mean
///
/// Every decision depends on the seed, the epoch and the picture's index alone.
typedef struct vit_augmentation {
  size_t struct_size;   ///< sizeof(vit_augmentation)
  int32_t crop_padding; ///< Pixels; 0: no crop
  int32_t flip;         ///< Non-zero: flip
  float erase;          ///< Probability, 0 to 1
  uint64_t seed;
} vit_augmentation;

/// As vit_dataset_read_batch, for `count` pictures at any `indices`, changed as
/// `augmentation` says (NULL: not) for epoch `epoch`.
VIT_API vit_status
vit_dataset_read_examples(const vit_dataset *dataset, const int64_t *indices,
                          int64_t count, const vit_preprocessing *preprocessing,
                          const vit_augmentation *augmentation, int64_t epoch,
                          float *out, int32_t *out_labels, vit_error *error);

/// The numbers 0 .. count - 1 in the order of epoch `epoch`: a permutation that
/// depends on seed and epoch alone (Fisher and Yates, Knuth's algorithm P).
/// Errors: VIT_INVALID_ARGUMENT where count is not in [1, 2^31).
VIT_API vit_status vit_data_shuffle(uint64_t seed, int64_t epoch, int64_t count,
                                    int64_t *out, vit_error *error);

/// Reads batches ahead of their use, in threads of its own. What it gives does
/// not depend on how many there are. One caller at a time.
typedef struct vit_loader vit_loader;

/// Zero after struct_size, preprocessing and batch: every zero is a default.
typedef struct vit_loader_options {
  size_t struct_size;                     ///< sizeof(vit_loader_options)
  const vit_preprocessing *preprocessing; ///< Copied.
  int64_t batch; ///< Pictures in each; the last of an epoch may have fewer.
  const vit_augmentation *augmentation; ///< NULL: none. Copied.
  uint64_t seed;                        ///< Of the order (vit_data_shuffle).
  /// Pictures in order: order_epochs x order_count indices. NULL: the order of
  /// each epoch is drawn from `seed`. Copied.
  const int32_t *order;
  int64_t order_epochs, order_count;
  int64_t limit; ///< Without an order of its own: only so many pictures, evenly
                 ///< spread over the data set; 0: all.
  int64_t first_batch; ///< To begin with, counted from 0 over all epochs: how a
                       ///< stopped run goes on.
  int32_t skip_unreadable; ///< Non-zero: a picture that cannot be read is left
                           ///< out of its batch; else it is an error.
  int32_t threads;         ///< That read; 0: 1.
  int64_t batch_stride; ///< Only first_batch, first_batch + batch_stride, ...:
                        ///< the share of one of several loaders. 0: 1.
} vit_loader_options;

/// The data set must outlive the loader.
/// Errors: VIT_INVALID_ARGUMENT (an index out of range, ...),
/// VIT_OUT_OF_MEMORY.
VIT_API vit_status vit_loader_create(const vit_dataset *dataset,
                                     const vit_loader_options *options,
                                     vit_loader **out_loader, vit_error *error);
VIT_API void vit_loader_release(vit_loader *loader);

/// One batch. Its memory is the loader's, until the next call.
typedef struct vit_batch {
  vit_tensor images; ///< f32 [count, channels, height, width]
  vit_tensor labels; ///< i32 [count]
  int64_t epoch;     ///< From 0.
  int64_t index;     ///< Of the batch in its epoch, from 0.
  int64_t
      skipped; ///< Pictures left out of it; count may be 0 where it was all.
} vit_batch;

VIT_API int64_t vit_loader_batches_per_epoch(const vit_loader *loader);
/// Waits for the next batch. A failed loader fails again.
/// Errors: those of vit_dataset_read_batch, with the picture named;
/// VIT_NOT_FOUND behind the last epoch of an order that was given.
VIT_API vit_status vit_loader_next(vit_loader *loader, vit_batch *out_batch,
                                   vit_error *error);
/// Why picture `i` of those that the batch left out could not be read, its
/// file's name included; NULL where there is none. Until the next call of
/// vit_loader_next.
VIT_API const char *vit_loader_skipped(const vit_loader *loader, int64_t i);

#ifdef __cplusplus
}
#endif

#endif // VIT_VIT_DATA_H
