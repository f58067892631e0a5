//===- WeightNames.h - What files of weights are called ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_WEIGHT_NAMES_H
#define VIT_FORMAT_WEIGHT_NAMES_H

namespace vit::format {

/// What a model's folder may call its weights, in the order of preference:
/// files, and indices of several files ("weight_map").
inline constexpr const char *kWeightFiles[] = {"model.safetensors",
                                               "model.safetensors.index.json",
                                               "open_clip_model.safetensors",
                                               "pytorch_model.bin",
                                               "pytorch_model.bin.index.json",
                                               "open_clip_pytorch_model.bin",
                                               "model.pth",
                                               "model.pt"};

/// How the names of files end that hold weights and nothing else.
inline constexpr const char *kWeightEndings[] = {".safetensors", ".bin", ".pth",
                                                 ".pt", ".ckpt"};

/// The variable of the environment that names the state dict to be used of a
/// torch.save file that holds several, such as "model_ema". The tools set it
/// from --weights-key.
inline constexpr const char *kWeightsKey = "VIT_WEIGHTS_KEY";

/// The key of the metadata of a .safetensors file under which training lists,
/// a line each, the tensors that it copied from the checkpoint it began with:
/// the model's graph does not use them, but the class of its library has them.
inline constexpr const char *kCarriedKey = "vit.carried";

} // namespace vit::format

#endif // VIT_FORMAT_WEIGHT_NAMES_H
