//===- finetune.c - Fine-tunes a model on a folder of pictures ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   finetune MODULE FOLDER STEPS WEIGHTS PICTURE
//
// MODULE was compiled with --train; FOLDER has a folder of pictures per class.
// Writes the weights to WEIGHTS, a safetensors file, and classifies PICTURE.
//
//===----------------------------------------------------------------------===//

#include <stdio.h>
#include <stdlib.h>
#include <vit/vit-data.h>
#include <vit/vit.h>

#define CHECK(call)                                                            \
  if (call)                                                                    \
  return fprintf(stderr, "error: %s\n", error.message), 1

int main(int argc, char **argv) {
  static float pixels[3 * 1024 * 1024], logits[65536];
  // Static, because fields that are not set must be zero.
  static vit_preprocessing how;
  static vit_loader_options reading;
  static vit_session_options options;
  static vit_step step;
  static vit_tensor input, output;
  vit_error error;
  vit_module *module;
  vit_parameters *weights;
  vit_session *training, *inference;
  vit_dataset *pictures;
  vit_loader *loader;
  vit_batch batch;
  vit_image image;
  if (argc != 6)
    return fprintf(stderr, "usage: %s MODULE FOLDER STEPS WEIGHTS PICTURE\n",
                   argv[0]);
  how.struct_size = sizeof how;
  CHECK(vit_module_load(argv[1], NULL, &module, &error));
  CHECK(vit_module_preprocessing(module, &how, &error));
  CHECK(vit_dataset_open(argv[2], NULL, &pictures, &error));
  reading.struct_size = sizeof reading;
  reading.preprocessing = &how;
  reading.batch = 8;
  CHECK(vit_loader_create(pictures, &reading, &loader, &error));
  CHECK(vit_parameters_create(module, &weights, &error));
  options.struct_size = sizeof options;
  options.parameters = weights;
  CHECK(vit_session_create(module, &options, &training, &error));
  CHECK(vit_session_create(module, &options, &inference, &error));
  step.struct_size = sizeof step;
  step.learning_rate = 1e-3f;
  step.update = 1;
  for (int i = 0; i < atoi(argv[3]); ++i) {
    CHECK(vit_loader_next(loader, &batch, &error));
    step.images = &batch.images;
    step.targets = &batch.labels;
    CHECK(vit_session_step(training, &step, &error));
    printf("step %d: loss %.4f, %d of %d right\n", i + 1, step.loss,
           step.correct, (int)batch.labels.dims[0]);
  }

  int32_t count = vit_parameters_count(weights);
  vit_tensor *tensors = (vit_tensor *)calloc(count, sizeof *tensors);
  for (int32_t i = 0; i < count; ++i) {
    vit_binding_info info;
    CHECK(vit_parameters_info(weights, i, &info, &error));
    vit_tensor *tensor = &tensors[i];
    tensor->name = info.name;
    tensor->dtype = VIT_F32;
    tensor->rank = info.rank;
    tensor->size = sizeof(float);
    for (int32_t d = 0; d < info.rank; ++d)
      tensor->size *= tensor->dims[d] = info.dims[d];
    tensor->data = malloc(tensor->size);
    CHECK(vit_parameters_read(weights, info.name, (float *)tensor->data,
                              tensor->size, &error));
  }
  CHECK(vit_weights_write(argv[4], tensors, count, NULL, 0, &error));

  CHECK(vit_image_load(argv[5], NULL, &image, &error));
  CHECK(vit_image_preprocess(&image, &how, pixels, &error));
  input.data = pixels;
  input.size = sizeof pixels;
  input.rank = 4;
  input.dims[0] = 1;
  input.dims[1] = how.channels;
  input.dims[2] = how.height;
  input.dims[3] = how.width;
  output.data = logits;
  output.size = sizeof logits;
  CHECK(vit_session_run(inference, "forward", &input, 1, &output, 1, &error));
  int best = 0;
  for (int i = 1; i < output.dims[1]; ++i)
    best = logits[i] > logits[best] ? i : best;
  printf("%s\n", vit_dataset_class_name(pictures, best));
}
