//===- vit-bench-kernels.cpp - Times kernels at the models' shapes --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times single kernels on one thread with weights in cache, and compares with
// the FMA peak measured at the same time:
//
//   vit-bench-kernels [--level avx512] [--chunk ROW-BLOCKS]
//       [--benchmark_filter=REGEX] [--benchmark_min_time=0.3] ...
//
// and other options of Google Benchmark. best_s is the time of the fastest run;
// FLOP/s and the share of the peak belong to it. Kernels without known
// operation counts show only their time.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <immintrin.h>
#include <memory>

using namespace test;

/// CPU time of this thread in seconds, which excludes other threads on its
/// core.
static double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

__attribute__((target("avx512f"))) static double peakOfAvx512() {
  __m512 sums[24];
  for (int i = 0; i < 24; ++i)
    sums[i] = _mm512_set1_ps(i);
  __m512 x = _mm512_set1_ps(1.0000001f), y = _mm512_set1_ps(0.999f);
  constexpr int kRounds = 100000;
  double start = now();
  for (int round = 0; round < kRounds; ++round) {
    for (__m512 &sum : sums)
      sum = _mm512_fmadd_ps(sum, x, y);
    asm volatile("");
  }
  double seconds = now() - start;
  float total = 0;
  for (__m512 &sum : sums)
    total += _mm512_reduce_add_ps(sum);
  asm volatile("" ::"x"(total));
  return kRounds * 24.0 * 32 / seconds * 1e-9;
}

__attribute__((target("avx2,fma"))) static double peakOfAvx2() {
  __m256 sums[12];
  for (int i = 0; i < 12; ++i)
    sums[i] = _mm256_set1_ps(i);
  __m256 x = _mm256_set1_ps(1.0000001f), y = _mm256_set1_ps(0.999f);
  constexpr int kRounds = 200000;
  double start = now();
  for (int round = 0; round < kRounds; ++round) {
    for (__m256 &sum : sums)
      sum = _mm256_fmadd_ps(sum, x, y);
    asm volatile("");
  }
  double seconds = now() - start;
  for (__m256 &sum : sums)
    asm volatile("" ::"x"(sum));
  return kRounds * 12.0 * 16 / seconds * 1e-9;
}

/// One kernel and its arguments.
struct Case {
  std::string text;
  std::vector<Guarded> arguments;
  int64_t batch;
};

static std::string level = levels().back();
static int64_t givenChunk = 0; ///< Row blocks; 0: about the choice of vit-tile.

static void measure(benchmark::State &state, const Case &c,
                    const Kernel &kernel) {
  std::vector<float *> pointers;
  for (const Guarded &argument : c.arguments)
    pointers.push_back(argument.data());
  double best = INFINITY, peak = 0;
  constexpr double kSecondsPerPeak = 5e-3;
  double sincePeak = INFINITY;
  for (auto _ : state) {
    if (sincePeak > kSecondsPerPeak) {
      peak = std::max(peak, level == "avx512" ? peakOfAvx512() : peakOfAvx2());
      sincePeak = 0;
    }
    double start = now();
    kernel.run(pointers, c.batch);
    double seconds = now() - start;
    sincePeak += seconds;
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
  }
  state.counters["best_s"] = best;
  state.counters["code_bytes"] = double(kernel.codeSize());
  if (kernel.flop() == 0)
    return;
  double rate = double(kernel.flop()) * double(c.batch) / best;
  state.counters["FLOP/s"] = rate;
  state.counters["peak_%"] = 100 * rate / (peak * 1e9);
}

/// The first run of the benchmark calls `make` and releases the data of the
/// previous one.
static void add(const std::string &name, const std::function<Case()> &make) {
  auto run = [name, make](benchmark::State &state) {
    static std::string made;
    static std::unique_ptr<Case> last;
    static std::unique_ptr<Kernel> kernel;
    if (made != name) {
      last.reset();
      last = std::make_unique<Case>(make());
      kernel = std::make_unique<Kernel>(last->text, level);
      made = name;
    }
    measure(state, *last, *kernel);
  };
  benchmark::RegisterBenchmark(name.c_str(), run)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

static Case gemm(int64_t tokens, int64_t in, int64_t out, int64_t rows,
                 int64_t batch, const std::string &epilogue) {
  Layout layout{rows};
  std::string x = blockedType(tokens, in, layout),
              y = blockedType(tokens, out, layout), bias = channelsType(0, out),
              w = "tensor<" + std::to_string(out) + "x" + std::to_string(in) +
                  "xf32, #kernel.panels<cols = 64>>";
  int64_t blocks = (tokens ? batch * ((tokens + rows - 1) / rows)
                           : (batch + rows - 1) / rows);
  int64_t chunk = blocks;
  int64_t fit = std::max<int64_t>(32, (640 << 10) / (rows * in * 4));
  if (blocks > fit)
    chunk =
        (blocks + (blocks + fit / 2) / fit - 1) / ((blocks + fit / 2) / fit);
  if (givenChunk)
    chunk = givenChunk;
  std::string region = "{\n^bb0(%a: f32, %c: f32";
  std::string extras = "%b : " + bias;
  if (epilogue == "none") {
    region = "{\n^bb0(%a: f32):\nkernel.yield %a : f32 }";
    extras = "";
  } else if (epilogue == "residual") {
    extras = "%b, %r : " + bias + ", " + y;
    region += ", %d: f32):\n%0 = arith.addf %a, %c : f32\n"
              "%1 = arith.addf %0, %d : f32\nkernel.yield %1 : f32 }";
  } else if (epilogue == "gelu") {
    region += "):\n%h = arith.constant 0.5 : f32\n"
              "%s = arith.constant 0.70710678118 : f32\n"
              "%o = arith.constant 1.0 : f32\n"
              "%0 = arith.addf %a, %c : f32\n%1 = arith.mulf %0, %s : f32\n"
              "%2 = math.erf %1 : f32\n%3 = arith.addf %2, %o : f32\n"
              "%4 = arith.mulf %0, %h : f32\n%5 = arith.mulf %4, %3 : f32\n"
              "kernel.yield %5 : f32 }";
  } else {
    region += "):\n%0 = arith.addf %a, %c : f32\nkernel.yield %0 : f32 }";
  }
  std::string text = "func.func @f(%x: " + x + ", %w: " + w +
                     (extras.empty() ? "" : ", %b: " + bias) +
                     (epilogue == "residual" ? ", %r: " + y : "") + ") -> " +
                     y + " {\n%y = kernel.gemm %x, %w" +
                     (extras.empty() ? "" : " extras(" + extras + ")") +
                     " tile<rows = " + std::to_string(rows) +
                     ", cols = 64, chunk = " + std::to_string(chunk) +
                     "> slot 0 " + region + " : (" + x + ", " + w + ") -> " +
                     y + "\nreturn %y : " + y + "\n}";
  std::vector<Guarded> arguments;
  size_t rowsIn = batch * std::max<int64_t>(tokens, 1);
  arguments.emplace_back(
      block(randomFloats(rowsIn * in, 1), batch, tokens, in, layout));
  arguments.emplace_back(panels(randomFloats(in * out, 2), out, in, 64));
  if (!extras.empty())
    arguments.emplace_back(channels(randomFloats(out, 3), 1, out));
  size_t size = blockedSize(batch, tokens, out, layout);
  if (epilogue == "residual")
    arguments.emplace_back(size);
  arguments.emplace_back(size);
  return {text, std::move(arguments), batch};
}

static Case attention(int64_t tokens, int64_t heads, int64_t headDim,
                      int64_t rows, int64_t chunk) {
  Layout layout{rows};
  int64_t width = heads * headDim;
  std::string in = blockedType(tokens, 3 * width, layout),
              out = blockedType(tokens, width, layout);
  std::string text =
      "func.func @f(%x: " + in + ") -> " + out +
      " {\n%y = kernel.attention %x, %x, %x heads " + std::to_string(heads) +
      " head_dim " + std::to_string(headDim) + " offsets [0, " +
      std::to_string(width) + ", " + std::to_string(2 * width) +
      "] scale 0.125 tile<rows = " + std::to_string(rows) +
      ", cols = 64, chunk = " + std::to_string(chunk) + "> slot 0 : (" + in +
      ", " + in + ", " + in + ") -> " + out + "\nreturn %y : " + out + "\n}";
  Floats x =
      block(randomFloats(tokens * 3 * width, 1), 1, tokens, 3 * width, layout);
  std::vector<Guarded> arguments;
  for (int i = 0; i < 3; ++i)
    arguments.emplace_back(x);
  arguments.emplace_back(blockedSize(1, tokens, width, layout));
  return {text, std::move(arguments), 1};
}

static Case layerNorm(int64_t tokens, int64_t width, int64_t rows) {
  Layout layout{rows};
  std::string x = blockedType(tokens, width, layout),
              c = channelsType(0, width);
  std::string text =
      "func.func @f(%x: " + x + ", %s: " + c + ", %b: " + c + ") -> " + x +
      " {\n%y = kernel.rows normalize %x extras(%s, %b : " + c + ", " + c +
      ") epsilon 1.0e-6 slot 0 {\n^bb0(%a: f32, %p: f32, %q: f32):\n"
      "%0 = arith.mulf %a, %p : f32\n%1 = arith.addf %0, %q : f32\n"
      "kernel.yield %1 : f32 } : " +
      x + " -> " + x + "\nreturn %y : " + x + "\n}";
  std::vector<Guarded> arguments;
  arguments.emplace_back(
      block(randomFloats(tokens * width, 1), 1, tokens, width, layout));
  arguments.emplace_back(channels(randomFloats(width, 2), 1, width));
  arguments.emplace_back(channels(randomFloats(width, 3), 1, width));
  arguments.emplace_back(blockedSize(1, tokens, width, layout));
  return {text, std::move(arguments), 1};
}

static Case weightGradient(int64_t tokens, int64_t in, int64_t out,
                           int64_t rows, int64_t batch) {
  Layout layout{rows};
  std::string dy = blockedType(tokens, out, layout),
              x = blockedType(tokens, in, layout),
              results = plainType({out, in}) + ", " + plainType({out});
  std::string text =
      "func.func @f(%dy: " + dy + ", %x: " + x + ") -> (" + results +
      ") {\n%w, %b = kernel.weight_gradient %dy, %x tile<rows = " +
      std::to_string(rows) + ", cols = 48, chunk = " +
      std::to_string(givenChunk ? givenChunk : 48 / rows) + "> : (" + dy +
      ", " + x + ") -> (" + results + ")\nreturn %w, %b : " + results + "\n}";
  std::vector<Guarded> arguments;
  for (int64_t width : {out, in})
    arguments.emplace_back(block(randomFloats(batch * tokens * width, 1), batch,
                                 tokens, width, layout));
  arguments.emplace_back(out * in);
  arguments.emplace_back(out);
  return {text, std::move(arguments), batch};
}

static Case attentionBackward(int64_t tokens, int64_t heads, int64_t headDim,
                              int64_t rows, int64_t batch) {
  Layout layout{rows};
  int64_t width = heads * headDim;
  std::string x = blockedType(tokens, width, layout),
              results = "(" + x + ", " + x + ", " + x + ")";
  std::string text =
      "func.func @f(%dy: " + x + ", %q: " + x + ", %k: " + x + ", %v: " + x +
      ") -> " + results + " {\n%r:3 = kernel.attention_backward %dy, %q, %k, " +
      "%v heads " + std::to_string(heads) + " head_dim " +
      std::to_string(headDim) + " offsets [0, 0, 0] scale 0.125 " +
      "slots [0, 1, 2] : (" + x + ", " + x + ", " + x + ", " + x + ") -> " +
      results + "\nreturn %r#0, %r#1, %r#2 : " + x + ", " + x + ", " + x +
      "\n}";
  std::vector<Guarded> arguments;
  for (unsigned i = 0; i < 4; ++i)
    arguments.emplace_back(block(randomFloats(batch * tokens * width, i), batch,
                                 tokens, width, layout));
  for (int i = 0; i < 3; ++i)
    arguments.emplace_back(blockedSize(batch, tokens, width, layout));
  return {text, std::move(arguments), batch};
}

static Case normalizeBackward(int64_t tokens, int64_t width, int64_t rows,
                              int64_t batch) {
  Layout layout{rows};
  std::string x = blockedType(tokens, width, layout),
              scale = channelsType(0, width),
              sums = blockedType(0, width, layout),
              results = x + ", " + sums + ", " + sums;
  std::string text = "func.func @f(%dy: " + x + ", %x: " + x +
                     ", %s: " + scale + ", %r: " + x + ") -> (" + results +
                     ") {\n%d:3 = kernel.normalize_backward %dy, " +
                     "%x scale(%s : " + scale + ") plus(%r : " + x +
                     ") epsilon 1.0e-6 groups 1 slots [0, 1, 2] : (" + x +
                     ", " + x + ") -> (" + results +
                     ")\nreturn %d#0, %d#1, %d#2 : " + results + "\n}";
  std::vector<Guarded> arguments;
  auto add = [&](unsigned seed) {
    arguments.emplace_back(block(randomFloats(batch * tokens * width, seed),
                                 batch, tokens, width, layout));
  };
  add(1);
  add(2);
  arguments.emplace_back(channels(randomFloats(width, 3), 1, width));
  add(4);
  arguments.emplace_back(blockedSize(batch, tokens, width, layout));
  for (int i = 0; i < 2; ++i)
    arguments.emplace_back(blockedSize(batch, 0, width, layout));
  return {text, std::move(arguments), batch};
}

static Case pack(int64_t out, int64_t in, bool transposed) {
  std::string w = plainType({out, in}),
              panels = w.substr(0, w.size() - 1) +
                       ", #kernel.panels<cols = 64, transposed = " +
                       (transposed ? "true" : "false") + ">>";
  std::string text = "func.func @f(%w: " + w + ") -> " + panels +
                     " {\n%p = kernel.pack %w : (" + w + ") -> " + panels +
                     "\nreturn %p : " + panels + "\n}";
  std::vector<Guarded> arguments;
  arguments.emplace_back(randomFloats(out * in, 1));
  arguments.emplace_back(out * in);
  return {text, std::move(arguments), 1};
}

static Case sum(const std::string &kind, int64_t tokens, int64_t width,
                int64_t rows, int64_t batch) {
  Layout layout{rows};
  std::string x = blockedType(tokens, width, layout),
              y = kind == "batch" ? plainType({tokens, width})
                                  : blockedType(0, width, layout);
  std::string text = "func.func @f(%x: " + x + ") -> " + y +
                     " {\n%y = kernel.sum " + kind + " %x : (" + x + ") -> " +
                     y + "\nreturn %y : " + y + "\n}";
  std::vector<Guarded> arguments;
  arguments.emplace_back(block(randomFloats(batch * tokens * width, 1), batch,
                               tokens, width, layout));
  arguments.emplace_back(
      kind == "batch" ? tokens * width : blockedSize(batch, 0, width, layout));
  return {text, std::move(arguments), batch};
}

static void addInference() {
  struct Model {
    const char *name;
    int64_t tokens, width, heads, rows, attentionChunk;
  };
  for (Model m :
       {Model{"vit-b", 197, 768, 12, 6, 33}, Model{"vit-s", 197, 384, 6, 6, 33},
        Model{"vit-ti", 197, 192, 3, 6, 17},
        Model{"cifar", 65, 192, 3, 5, 7}}) {
    std::string name = m.name;
    for (int64_t batch : {1, 8}) {
      std::string suffix = batch == 1 ? "" : " b8";
      add(name + " qkv" + suffix, [=] {
        return gemm(m.tokens, m.width, 3 * m.width, m.rows, batch, "bias");
      });
      add(name + " proj" + suffix, [=] {
        return gemm(m.tokens, m.width, m.width, m.rows, batch, "residual");
      });
      add(name + " fc1 gelu" + suffix, [=] {
        return gemm(m.tokens, m.width, 4 * m.width, m.rows, batch, "gelu");
      });
      add(name + " fc2" + suffix, [=] {
        return gemm(m.tokens, 4 * m.width, m.width, m.rows, batch, "residual");
      });
    }
    add(name + " head",
        [=] { return gemm(0, m.width, 1000, m.rows, 1, "bias"); });
    add(name + " attention", [=] {
      return attention(m.tokens, m.heads, m.width / m.heads, m.rows,
                       m.attentionChunk);
    });
    add(name + " layer norm",
        [=] { return layerNorm(m.tokens, m.width, m.rows); });
  }
}

static void addTraining() {
  struct Training {
    const char *name;
    int64_t tokens, width, rows, batch;
  };
  for (Training t : {Training{"cifar b64", 65, 192, 6, 64},
                     Training{"vit-ti train b8", 197, 192, 6, 8},
                     Training{"vit-s train b8", 197, 384, 6, 8}}) {
    std::string name = t.name;
    struct Product {
      const char *name;
      int64_t in, out;
    };
    for (Product p : {Product{" qkv", t.width, 3 * t.width},
                      Product{" proj", t.width, t.width},
                      Product{" fc1", t.width, 4 * t.width},
                      Product{" fc2", 4 * t.width, t.width}}) {
      std::string product = name + p.name;
      add(product + " y",
          [=] { return gemm(t.tokens, p.in, p.out, t.rows, t.batch, "bias"); });
      add(product + " dx",
          [=] { return gemm(t.tokens, p.out, p.in, t.rows, t.batch, "none"); });
      add(product + " dw", [=] {
        return weightGradient(t.tokens, p.in, p.out, t.rows, t.batch);
      });
      add(product + " pack", [=] { return pack(p.out, p.in, false); });
      add(product + " pack^T", [=] { return pack(p.out, p.in, true); });
    }
    add(name + " attention'", [=] {
      return attentionBackward(t.tokens, t.width / 64, 64, t.rows, t.batch);
    });
    add(name + " layer norm'",
        [=] { return normalizeBackward(t.tokens, t.width, t.rows, t.batch); });
    add(name + " sum tokens",
        [=] { return sum("tokens", t.tokens, t.width, t.rows, t.batch); });
    add(name + " sum batch",
        [=] { return sum("batch", t.tokens, t.width, t.rows, t.batch); });
  }
}

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    std::string option = argv[i];
    if (option == "--level" && i + 1 < argc)
      level = argv[i + 1];
    else if (option == "--chunk" && i + 1 < argc)
      givenChunk = atoll(argv[i + 1]);
    else
      return fprintf(stderr, "error: %s is no option, or has no value\n",
                     argv[i]),
             1;
  }
  addInference();
  addTraining();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
