//===- label.cpp - Labels the pictures of a folder, in threads ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   label MODEL.vitm FOLDER [THREADS]
//
// Writes a line "PICTURE,LABEL,SCORE" for each picture of FOLDER, in the
// order of their names. Threads share the module; each has a session of its
// own with one thread. Pictures that cannot be read are reported and left out,
// and the exit status is 1 then.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>
#include <vit/vit-data.hpp>
#include <vit/vit.hpp>

namespace {

struct Result {
  std::string label, error;
  float score = 0;
};

std::vector<std::string> findPictures(const std::string &folder) {
  std::vector<std::string> paths;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file())
      paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result label(const vit::Module &module, vit::Session &session,
             const vit_preprocessing &how, const std::string &path) {
  Result result;
  try {
    auto picture = vit::data::Tensor::loadPicture(path, how);
    std::vector<float> logits =
        session.run(picture.data<float>(), picture.dims());
    int32_t best = 0;
    vit::data::call(vit_data_top_scores, logits.data(), int64_t(logits.size()),
                    int32_t(1), module.scoreFunction(), &best, &result.score);
    result.label = module.label(best);
  } catch (const std::exception &error) {
    result.error = error.what();
  }
  return result;
}

} // namespace

int main(int argc, char **argv) try {
  int threads = argc == 4 ? std::atoi(argv[3]) : 2;
  if (argc < 3 || argc > 4 || threads < 1)
    return std::fprintf(stderr, "usage: label MODEL.vitm FOLDER [THREADS]\n"),
           1;
  vit::Module module(argv[1]);
  vit_preprocessing how = module.preprocessing();
  std::vector<std::string> paths = findPictures(argv[2]);

  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = 1;
  std::vector<vit::Session> sessions;
  for (int i = 0; i < threads; ++i)
    sessions.emplace_back(module, &options);

  std::vector<Result> results(paths.size());
  std::atomic<size_t> next = 0;
  std::vector<std::thread> pool;
  for (vit::Session &session : sessions)
    pool.emplace_back([&] {
      for (size_t i; (i = next++) < paths.size();)
        results[i] = label(module, session, how, paths[i]);
    });
  for (std::thread &thread : pool)
    thread.join();

  int status = 0;
  for (size_t i = 0; i < paths.size(); ++i) {
    const Result &result = results[i];
    if (result.error.empty()) {
      std::printf("%s,%s,%.4f\n", paths[i].c_str(), result.label.c_str(),
                  double(result.score));
      continue;
    }
    std::fprintf(stderr, "error: %s\n", result.error.c_str());
    status = 1;
  }
  return status;
} catch (const std::exception &error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
