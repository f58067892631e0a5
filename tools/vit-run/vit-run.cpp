//===- vit-run.cpp - Runs Vision Transformers -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VitRun.h"

int main(int argc, char **argv) { return vit::tools::runVitRun(argc, argv); }
