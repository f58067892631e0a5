//===- Rounds.cpp - Which batches the ranks train on next -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rounds.h"

#include <algorithm>

namespace vit::tools {

Round Rounds::next(int64_t step, int64_t batch, int64_t most, int32_t signal) {
  int64_t count = ranks.count(), begin = step % count;
  int64_t planned = std::min(count - begin, most), own = ranks.rank() - begin;
  if (!batches || offset != batch - step) {
    // The first step from here on that is of this rank.
    batches.emplace(data.batches(batch + (own + count) % count, count));
    offset = batch - step;
  }
  const vit_batch *read = nullptr;
  if (own >= 0 && own < planned)
    read = &batches->next();

  struct State {
    int64_t images, skipped, signal;
  };
  std::vector<State> states = ranks.gather(
      State{read ? read->images.dims[0] : 0, read ? read->skipped : 0, signal});
  Round round;
  bool hasSkipped = false;
  for (; round.batches < planned; ++round.batches) {
    const State &state = states[begin + round.batches];
    round.pictureCount += state.images + state.skipped;
    hasSkipped |= state.skipped > 0;
    if (state.images == 0) {
      ++round.batches;
      break;
    }
    round.images.push_back(state.images);
  }
  for (const State &state : states)
    round.signal = std::max(round.signal, static_cast<int32_t>(state.signal));
  if (hasSkipped)
    for (const std::string &texts : ranks.gather(
             read && own < round.batches ? join(batches->skipped(), "\n") : ""))
      for (const std::string &text : split(texts, '\n'))
        round.skipped.push_back(text);
  if (read && own < static_cast<int64_t>(round.images.size())) {
    round.pictures = read->images;
    round.labels = read->labels;
    return round;
  }
  const vit_preprocessing &p = data.getPreprocessing();
  noPicture.assign(size_t(p.channels) * p.height * p.width, 0);
  round.pictures = {nullptr,
                    noPicture.data(),
                    noPicture.size() * sizeof(float),
                    VIT_F32,
                    4,
                    {1, p.channels, p.height, p.width}};
  round.labels = {nullptr, &noLabel, sizeof(noLabel), VIT_I32, 1, {1}};
  return round;
}

} // namespace vit::tools
