//===- RelativePositions.cpp - Pairs of tokens and their rows -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RelativePositions.h"

using namespace mlir;
using namespace mlir::vit;

Value RelativePositionsCode::getRow(Value query, Value key) {
  Value first = b.index(prefix), zero = b.index(0);
  auto toPatch = [&](Value token) {
    if (prefix == 0)
      return token;
    return b.select(b.isLess(token, first), zero, b.sub(token, first));
  };
  Value i = toPatch(query), j = toPatch(key);
  Value rows = b.sub(b.add(b.div(i, width), height - 1), b.div(j, width));
  Value columns = b.sub(b.add(b.rem(i, width), width - 1), b.rem(j, width));
  Value row = b.add(b.mul(rows, 2 * width - 1), columns);
  if (prefix == 0)
    return row;
  Value forClassKey = b.select(b.isLess(query, first), b.index(distances() + 2),
                               b.index(distances() + 1));
  Value forPatchKey =
      b.select(b.isLess(query, first), b.index(distances()), row);
  return b.select(b.isLess(key, first), forClassKey, forPatchKey);
}

// The pairs of any row lie on a grid of elements: `rowCount` times
// `columnCount` elements from `start` on, with constant distances.
Value RelativePositionsCode::sumPairs(Value row,
                                      function_ref<Value(Value)> load) {
  int64_t count = tokens();
  // The patches i and j = i - (rows, columns) + (height - 1, width - 1).
  Value rows = b.div(row, 2 * width - 1), columns = b.rem(row, 2 * width - 1);
  auto span = [&](Value distance, int64_t size) {
    Value isPositive = b.isLess(b.index(size - 1), distance);
    Value begin =
        b.select(isPositive, b.sub(distance, b.index(size - 1)), b.index(0));
    Value end = b.min(b.index(size), b.add(distance, 1));
    return std::pair(begin, b.sub(end, begin));
  };
  // Lambdas of C++17 cannot capture structured bindings.
  Value firstRow, rowCount, firstColumn, columnCount;
  std::tie(firstRow, rowCount) = span(rows, height);
  std::tie(firstColumn, columnCount) = span(columns, width);
  Value query = b.add(b.add(b.mul(firstRow, width), firstColumn), prefix);
  Value otherRow = b.sub(b.add(firstRow, height - 1), rows);
  Value otherColumn = b.sub(b.add(firstColumn, width - 1), columns);
  Value key = b.add(b.add(b.mul(otherRow, width), otherColumn), prefix);
  Value start = b.add(b.mul(query, count), key);
  Value columnStep = b.index(count + 1);
  if (prefix == 1) {
    // The class token as query, as key, and as both.
    auto choose = [&](Value patches, int64_t asQuery, int64_t asKey,
                      int64_t both) {
      Value found = b.select(b.isEqual(row, b.index(distances())),
                             b.index(asQuery), b.index(asKey));
      found = b.select(b.isEqual(row, b.index(distances() + 2)), b.index(both),
                       found);
      return b.select(b.isLess(row, b.index(distances())), patches, found);
    };
    start = choose(start, 1, count, 0);
    rowCount = choose(rowCount, 1, 1, 1);
    columnCount = choose(columnCount, height * width, height * width, 1);
    columnStep = choose(columnStep, 1, count, 1);
  }
  return b.fold(b.index(0), rowCount, 1, b.scalar(0), [&](Value r, Value sum) {
    Value first = b.add(start, b.mul(r, width * (count + 1)));
    return b.fold(b.index(0), columnCount, 1, sum, [&](Value c, Value sum) {
      return b.addf(sum, load(b.add(first, b.mul(c, columnStep))));
    });
  });
}
