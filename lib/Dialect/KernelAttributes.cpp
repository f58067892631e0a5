//===- KernelAttributes.cpp - Verifiers of layouts and sizes --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tests and experiments contain these attributes too, not only the output of
// passes, so every attribute that parses must be consistent.
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Kernel.h"

using namespace mlir;
using namespace mlir::vit::kernel;

using EmitError = function_ref<InFlightDiagnostic()>;

/// C2 of a layout: a group that is not 0 divides the dimension.
static LogicalResult verifyGroup(EmitError emitError, int64_t group,
                                 int64_t size) {
  if (group == 0 || (!ShapedType::isDynamic(size) && size % group == 0))
    return success();
  return emitError() << "C2: groups of " << group << " channels do not divide "
                     << size;
}

LogicalResult BlockedAttr::verify(EmitError emitError, int64_t rows,
                                  int64_t group) {
  if (rows >= 1 && rows <= 64 && group >= 0)
    return success();
  return emitError() << "C1: rows must be 1 to 64 and group 0 or more, not "
                     << rows << " and " << group;
}

LogicalResult BlockedAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                          EmitError emitError) const {
  if (shape.size() != 2 && shape.size() != 3)
    return emitError() << "C2: a blocked tensor must be [batch, width] or "
                          "[batch, tokens, width]";
  return verifyGroup(emitError, getGroup(), shape.back());
}

LogicalResult PanelsAttr::verify(EmitError emitError, int64_t cols,
                                 int64_t outGroup, int64_t inGroup,
                                 bool transposed, int64_t interleave) {
  if (cols == 1 && transposed)
    return emitError() << "C1: panels of one column are not transposed: "
                          "products with the transposed weight read the weight";
  if ((cols == 1 || (cols >= 16 && cols % 16 == 0)) && outGroup >= 0 &&
      inGroup >= 0 && (interleave == 1 || interleave == 2 || interleave == 4))
    return success();
  return emitError() << "C1: cols must be 1 or a multiple of 16, groups 0 or "
                        "more and interleave 1, 2 or 4, not "
                     << cols << ", " << outGroup << ", " << inGroup << " and "
                     << interleave;
}

LogicalResult PanelsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                         EmitError emitError) const {
  if (shape.size() != 2)
    return emitError() << "C2: a tensor in panels must be [out, in]";
  if (failed(verifyGroup(emitError, getOutGroup(), shape[0])))
    return failure();
  return verifyGroup(emitError, getInGroup(), shape[1]);
}

LogicalResult ChannelsAttr::verify(EmitError emitError, int64_t group) {
  if (group >= 0)
    return success();
  return emitError() << "C1: group must be 0 or more, not " << group;
}

LogicalResult ChannelsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                           EmitError emitError) const {
  if (shape.empty() || shape.size() > 3)
    return emitError() << "C2: a tensor in channels must be [width], "
                          "[rows, width] or [batch, tokens, width]";
  return verifyGroup(emitError, getGroup(), shape.back());
}

LogicalResult TileAttr::verify(EmitError emitError, int64_t rows, int64_t cols,
                               int64_t chunk, int64_t threads,
                               int64_t threadRows, int64_t threadCols) {
  if (rows < 1 || cols < 1 || chunk < 1)
    return emitError() << "C1: rows, cols and chunk must be positive, not "
                       << rows << ", " << cols << " and " << chunk;
  bool isCpu = threads == 0 && threadRows == 0 && threadCols == 0;
  bool isGpu = threads >= 1 && threadRows >= 1 && threadCols >= 1;
  if (isCpu || isGpu)
    return success();
  return emitError() << "C2: threads, thread_rows and thread_cols must be "
                        "positive or all 0, not "
                     << threads << ", " << threadRows << " and " << threadCols;
}

LogicalResult SlotsAttr::verify(EmitError emitError, ArrayRef<int64_t> numbers,
                                ArrayRef<int64_t> offsets) {
  constexpr int64_t alignment = 64;
  if (numbers.size() != offsets.size())
    return emitError() << "C1: there must be an offset for each slot";
  for (auto [slot, offset] : llvm::zip(numbers, offsets))
    if (slot < -1 || offset < 0 || offset % alignment != 0 ||
        (slot == -1 && offset != 0))
      return emitError() << "C1: slot " << slot << " at " << offset
                         << " does not exist; slots are -1 or more, offsets "
                            "multiples of 64";
  return success();
}

Attribute SlotsAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> numbers, offsets;
  auto parseOne = [&]() -> ParseResult {
    offsets.push_back(0);
    if (parser.parseInteger(numbers.emplace_back()))
      return failure();
    if (failed(parser.parseOptionalKeyword("at")))
      return success();
    return parser.parseInteger(offsets.back());
  };
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne))
    return {};
  return SlotsAttr::getChecked([&] { return parser.emitError(location); },
                               parser.getContext(), ArrayRef<int64_t>(numbers),
                               ArrayRef<int64_t>(offsets));
}

void SlotsAttr::print(AsmPrinter &printer) const {
  printer << '[';
  llvm::interleaveComma(llvm::zip(getNumbers(), getOffsets()), printer,
                        [&](auto pair) {
                          auto [slot, offset] = pair;
                          printer << slot;
                          if (offset != 0)
                            printer << " at " << offset;
                        });
  printer << ']';
}

LogicalResult ExtentAttr::verify(EmitError emitError, int64_t times, int64_t of,
                                 int64_t per) {
  if (times >= 0 && of >= 0 && per >= 1)
    return success();
  return emitError() << "C1: times and of must be 0 or more and per positive, "
                        "not "
                     << times << ", " << of << " and " << per;
}
