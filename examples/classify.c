//===- classify.c - Classifies a picture with a compiled model ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   classify MODEL.vitm PICTURE
//
//===----------------------------------------------------------------------===//

#include <stdio.h>
#include <stdlib.h>
#include <vit/vit-data.h>
#include <vit/vit.h>

static int fail(const vit_error *error) {
  fprintf(stderr, "error: %s\n", error->message);
  return 1;
}

int main(int argc, char **argv) {
  vit_error error;
  vit_module *module;
  vit_session *session;
  // Static, because fields that are not set must be zero.
  static vit_preprocessing how;
  static vit_tensor logits;
  vit_binding_info info;
  vit_tensor picture;
  int32_t best;
  float probability;

  if (argc != 3)
    return fprintf(stderr, "usage: classify MODEL.vitm PICTURE\n"), 1;
  how.struct_size = sizeof how;

  // [classify] from a module and a picture to a class in twelve statements
  if (vit_module_load(argv[1], NULL, &module, &error))
    return fail(&error);
  if (vit_module_preprocessing(module, &how, &error))
    return fail(&error);
  if (vit_data_load_picture(argv[2], &how, &picture, &error))
    return fail(&error);
  if (vit_module_output(module, NULL, 0, &info, &error))
    return fail(&error);
  logits.size = (size_t)info.dims[1] * sizeof(float);
  if (!(logits.data = malloc(logits.size)))
    return perror("error: classify"), 1;
  if (vit_session_create(module, NULL, &session, &error))
    return fail(&error);
  if (vit_session_run(session, NULL, &picture, 1, &logits, 1, &error))
    return fail(&error);
  if (vit_data_top_k((float *)logits.data, info.dims[1], 1, &best, &probability,
                     &error))
    return fail(&error);
  printf("class %d (%s), %.1f %%\n", (int)best,
         vit_module_label(module, best) ? vit_module_label(module, best) : "?",
         100.0 * probability);
  vit_session_release(session);
  vit_module_release(module);
  // [classify]
  vit_tensor_release(&picture);
  free(logits.data);
  return 0;
}
