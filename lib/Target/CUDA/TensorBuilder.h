//===- TensorBuilder.h - Code for tensor cores ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products of f16 or bf16 by mma.sync m16n8k16, and of f32 that are rounded to
// tf32 by m16n8k8 (PTX ISA, "Matrix multiply-accumulate operation using mma
// instruction"), of matrices that cp.async copies to workgroup memory and
// ldmatrix loads from there.
//
// The 32 lanes of a warp hold the 16 x 8 sums of one instruction as follows:
// with g = lane / 4 and t = lane % 4, sums 0 and 1 are columns 2t and 2t + 1 of
// row g, sums 2 and 3 those of row g + 8.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CUDA_TENSORBUILDER_H
#define VIT_TARGET_CUDA_TENSORBUILDER_H

#include "../Simt/SimtBuilder.h"

#include "vit/Kernel/TensorCores.h"

namespace mlir::vit::cuda {

inline constexpr int64_t kWarp = 32; ///< lanes
/// A chunk is what an asynchronous copy moves, and a row of the 8 x 8 matrices
/// of 16 bits that ldmatrix loads.
inline constexpr int64_t kChunkBytes = 16;
/// Chunks of 128 bytes: each of their words is in another bank.
inline constexpr int64_t kBankChunks = 8;
// The sizes of one mma.sync.
inline constexpr int64_t kMmaRows = 16, kMmaColumns = 8;
/// Right operands are loaded for two blocks of columns at a time.
inline constexpr int64_t kPairColumns = 2 * kMmaColumns;
/// The f32 sums of one mma.sync in a lane, and its words of operands.
inline constexpr int64_t kSums = 4, kLeftWords = 4, kRightWords = 2;

/// The operands of products.
struct Operands {
  /// F16, BF16, or TF32: f32, rounded when they are loaded.
  ::vit::format::ElementType type;

  static Operands of(Operation *op) { return {kernel::getPrecision(op)}; }
  bool isTf32() const { return type == ::vit::format::ElementType::TF32; }
  /// Their type in memory.
  FloatType element(Builder &b) const;
  /// Elements of a chunk.
  int64_t chunk() const { return kChunkBytes / (isTf32() ? 4 : 2); }
  /// Elements of a word of 32 bits.
  int64_t perWord() const { return isTf32() ? 1 : 2; }
  /// The depth of one mma.sync: two chunks.
  int64_t depth() const { return 2 * chunk(); }
  /// Chunks of kPairColumns elements.
  int64_t pairChunks() const { return kPairColumns / chunk(); }
};

/// `buffers` matrices of operands in workgroup memory, each `rows` rows of
/// `chunks` chunks of `chunk` elements.
///
/// ldmatrix loads one chunk of each of eight rows at once. Their numbers are
/// those with r % run < 2 of 4 * run consecutive ones: a + run * b for a in 0,
/// 1 and b in 0 to 3 (consecutive rows for a run of 2). The chunks of a row are
/// permuted so that these eight are in different banks; with a run of 1, so
/// that chunks 2n and 2n + 1 of four consecutive rows are. Where their number
/// is no power of two, a chunk that is not used follows each row instead; this
/// needs a run of 2.
struct SharedMatrix {
  Value memory; ///< of rank 1
  int64_t rows, chunks, run, chunk;

  /// Chunks from one row to the next.
  int64_t pitch() const {
    return llvm::isPowerOf2_64(chunks) ? chunks : chunks | 1;
  }
  int64_t rowElements() const { return pitch() * chunk; }
  int64_t bufferElements() const { return rows * rowElements(); }
  /// Returns the element at which chunk `chunk` of row `row` begins. That of
  /// row `row` + n is n * rowElements() further where n is a multiple of 4 *
  /// run, or where n is even and both rows are in the same `run`.
  Value at(CodeBuilder &b, Value row, Value chunk) const;
};

/// Where a lane finds the words of operands that are the transposed matrix:
/// their depth are its rows, their rows or columns its channels. See
/// `TensorBuilder::planTransposed`.
struct TransposedOperand {
  SharedMatrix matrix;
  bool isLeft;
  SmallVector<Value> elements;
};

/// Where a lane finds the words of right operands whose depths are the rows of
/// a matrix, `together` columns at a time. See `TensorBuilder::planColumns`.
struct ColumnOperand {
  SharedMatrix matrix;
  int64_t together;
  SmallVector<Value> elements;

  /// Chunks of a row that are loaded at a time.
  int64_t groupChunks() const { return together * kMmaColumns / matrix.chunk; }
};

/// Which chunks of a matrix a thread copies: those with numbers chunk + across
/// * j of rows row + down * i.
struct CopyShare {
  SharedMatrix matrix;
  int64_t across, down; ///< threads per row, and rows of all threads
  Value row, chunk;     ///< the first
  Value target;         ///< the element of the first in the first buffer

  int64_t rowCount() const { return std::max<int64_t>(matrix.rows / down, 1); }
  /// Calls `body` for the chunks (i, j) of this thread.
  void forEach(CodeBuilder &b,
               function_ref<void(int64_t i, int64_t j)> body) const;
  /// Returns the element of chunk (i, j) in the buffer that begins at `base`.
  Value at(CodeBuilder &b, Value base, int64_t i, int64_t j) const;
};

/// Whether `threads` threads can copy a matrix of rows x chunks.
bool canShare(int64_t threads, int64_t rows, int64_t chunks, int64_t run);

/// Rounds a vector of f32 to `element`, f16 or bf16, as emitNarrow of
/// Common/Math.h, but in fewer instructions: one that rounds two numbers, and
/// in f16 an fma by zero of the two, which makes a NaN of an infinity and
/// changes nothing else.
Value emitRounded(CodeBuilder &b, Type element, Value vector);

/// Builds the instructions in a kernel for CUDA whose threads are whole warps.
class TensorBuilder {
public:
  TensorBuilder(simt::SimtBuilder &b, Operands operands);

  const Operands operands;

  Value warp() const { return warpValue; } ///< within the workgroup
  Value lane() const { return laneValue; } ///< within the warp

  SharedMatrix allocate(int64_t buffers, int64_t rows, int64_t chunks,
                        int64_t run = 2);

  //===--------------------------------------------------------------------===//
  // Asynchronous copies
  //===--------------------------------------------------------------------===//

  /// Splits a matrix between the threads of the workgroup. Needs `canShare`.
  CopyShare share(const SharedMatrix &matrix);
  /// Starts copying the chunk from element `from` of an argument to element
  /// `to` of `matrix`. Where `exists` is given and false, the chunk becomes
  /// zero and the argument is not read.
  void copy(unsigned argument, Value from, const SharedMatrix &matrix, Value to,
            Value exists = {});
  /// Starts the copies of this thread of a tile of an argument, whose rows have
  /// `width` elements, to the buffer that begins at element `base`: rows from
  /// `row` on, elements from `channel` on. What is in no row before `rows`, if
  /// it is given, or beyond the end of a row becomes zero.
  void copyTile(unsigned argument, const CopyShare &share, Value base,
                Value row, Value rows, Value channel, int64_t width);
  /// Ends the group of the copies that this thread started since the last one.
  void commit();
  /// Waits until at most `pending` groups of this thread are incomplete.
  void wait(int64_t pending);

  /// Emits one of two bodies and returns its values.
  SmallVector<Value> ifElse(Value condition,
                            function_ref<SmallVector<Value>()> then,
                            function_ref<SmallVector<Value>()> otherwise);
  /// Runs `use` for the steps from 0 to `steps`, while the copies of the next
  /// `stages` - 1 steps are under way. Both get the number of the step and of
  /// its buffer, one of `stages`; `use` also the carried values, whose next
  /// ones it returns. No thread may be reading the buffers.
  using Copy = function_ref<void(Value step, Value buffer)>;
  using Use = function_ref<SmallVector<Value>(Value step, Value buffer,
                                              ValueRange carried)>;
  SmallVector<Value> pipeline(int64_t stages, Value steps, ValueRange init,
                              Copy startCopies, Use use);

  //===--------------------------------------------------------------------===//
  // Fragments
  //===--------------------------------------------------------------------===//

  /// Loads four 8 x 8 matrices of 16 bits, whose rows begin at the elements
  /// that lanes 0-7, 8-15, 16-23 and 24-31 give. Lane 4r + c gets elements 2c
  /// and 2c + 1 of row r of each as i32; in tf32, where a matrix is 8 x 4,
  /// element c, rounded.
  SmallVector<Value> load(const SharedMatrix &matrix, Value element);
  /// The element at which the row of this lane begins in a load of left
  /// operands of products of `matrix`: rows from `row` on, the depth from
  /// chunk `chunk` on.
  Value leftElement(const SharedMatrix &matrix, Value row, int64_t chunk);
  /// The same for the right operands of rows `row` to `row` + 15: those of the
  /// first 8 rows, then those of the others.
  Value rightElement(const SharedMatrix &matrix, Value row, int64_t chunk);
  /// Prepares loads of operands of 16 rows, or if not `isLeft` columns, which
  /// are `count` times 16 channels of `matrix` from `channel` on: a multiple of
  /// all these channels if it is not 0.
  ///
  /// In tf32 ldmatrix cannot transpose, so a lane loads each word by itself.
  /// The order of the depth is free as long as it is the same on both sides:
  /// word k = t is row 2t, k = t + 4 row 2t + 1. So lanes read four rows of
  /// equal parity at once, whose chunks are in different banks, and the sums of
  /// two columns of a lane are left operands as they are (see packLeft). It is
  /// not that of `load`.
  TransposedOperand planTransposed(const SharedMatrix &matrix, Value channel,
                                   int64_t count, bool isLeft);
  /// Loads the words of the depth that are rows `row`, ..., a multiple of the
  /// depth, of the buffer that begins at element `base`, and channels number
  /// 16 * `index`, ...
  SmallVector<Value> loadTransposed(const TransposedOperand &operand,
                                    Value base, int64_t row, int64_t index);
  /// Prepares loads of right operands of columns from `channel` on, whose
  /// depths are the rows of `matrix`, of a run of perWord(), in groups of
  /// `together` blocks of kMmaColumns. Column n of block i of a group is its
  /// column together * n + i: so the sums of a lane in these blocks are 2 *
  /// together neighbouring columns, number together * s + i for sum s of a row.
  /// ldmatrix would make blocks of 8 neighbouring columns, of which a lane has
  /// two.
  ColumnOperand planColumns(const SharedMatrix &matrix, Value channel,
                            int64_t together);
  /// Loads the words of the depth that are rows `row`, ..., a multiple of the
  /// depth, of the buffer that begins at element `base`: kRightWords for each
  /// block of group `group`, in the order of depths of `load`.
  SmallVector<Value> loadColumns(const ColumnOperand &operand, Value base,
                                 int64_t row, int64_t group);
  /// Adds left right^T to the sums of blocks 2 * `pair` and 2 * `pair` + 1;
  /// `words` are the right operands of both.
  void multiplyPair(ArrayRef<Value> left, ArrayRef<Value> words,
                    MutableArrayRef<Value> sums, int64_t pair);
  /// Returns the four sums + left right^T of this lane. `left` is kLeftWords,
  /// `right` kRightWords.
  SmallVector<Value> multiply(ArrayRef<Value> left, ArrayRef<Value> right,
                              ValueRange sums);
  /// Stores vectors of f32, one after the other, from element `to` of an
  /// argument of f32, f16 or bf16 on, to which they are rounded. They have 16
  /// bytes there.
  void store(ArrayRef<Value> vectors, unsigned argument, Value to);
  /// Does the same with two elements.
  void storePair(ArrayRef<Value> pair, unsigned argument, Value to);
  /// Stores four words of two elements, 16 bytes.
  void storeWords(ArrayRef<Value> words, unsigned argument, Value to);
  /// Stores what this lane has of a row of sums that begins at element `to`:
  /// two for each kMmaColumns. Where `exists` is given and false, nothing is
  /// stored. In f16 and bf16 four lanes exchange words of four blocks, so that
  /// each has 16 bytes of one; the rest, as in f32, are pairs.
  void storeRow(ArrayRef<Value> values, unsigned argument, Value to,
                Value exists = {});
  /// Returns the value of the lane whose number differs in the bits of
  /// `distance`.
  Value exchange(Value value, int32_t distance);
  /// Returns the largest, or the sum, of the values that the four lanes of a
  /// row of sums have. The order of the sum is the same for all.
  Value reduceRow(CodeBuilder::Reduction kind, Value value);
  /// Exchanges values of the four lanes of a row: lane t gets value t of each.
  SmallVector<Value> transpose(ArrayRef<Value> values);
  /// Returns 2 to the power of an f32, with a relative error of 2^-22 and no
  /// subnormal results (PTX ISA, "ex2"): one instruction, for numbers that are
  /// rounded to operands.
  Value exp2(Value value);
  /// Returns the logarithm to base 2 of a positive f32, with an error of at
  /// most 2^-22 times its size or 1 (PTX ISA, "lg2").
  Value log2(Value value);
  /// A word of operands that are 1.
  Value ones();
  /// Returns two f32, rounded to `element`, f16 or bf16, as i32; the first is
  /// in the low half. If `isBounded`, neither is beyond the range.
  Value pack(Type element, Value low, Value high, bool isBounded);
  /// Returns the two f32 that are packed in a word of bf16.
  std::array<Value, 2> unpack(Value word);
  /// Rounds sums of 16 rows, which are not beyond the range, to left operands.
  /// Two blocks of 8 columns are the depth of f16 and bf16, one is that of
  /// tf32, in the order of `planTransposed`.
  SmallVector<SmallVector<Value>> packLeft(ArrayRef<Value> sums);

private:
  /// Calls an intrinsic of LLVM on an f32.
  Value callIntrinsic(StringRef name, Value value);
  /// Returns an f32, rounded to tf32, as i32 (PTX ISA, cvt.rna.tf32.f32).
  Value toTf32(Value value);
  SmallVector<Value> loadMatrices(const SharedMatrix &matrix, Value element,
                                  bool transposed);

  simt::SimtBuilder &b;
  Value warpValue, laneValue;
};

} // namespace mlir::vit::cuda

#endif // VIT_TARGET_CUDA_TENSORBUILDER_H
