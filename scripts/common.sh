# ===- common.sh - What the scripts share -----------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===------------------------------------------------------------------------===#
# Sourced by the other scripts, with the repository's root as the current folder.

mkdir -p build/log

# run NAME COMMAND...: runs it with its output in build/log/NAME.log and appends its
# seconds to build/log/times; if it fails, shows the log's end and returns its status.
run() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" >"build/log/$name.log" 2>&1 || status=$?
  echo "$name $((SECONDS - start)) s" >>build/log/times
  if [ "$status" -ne 0 ]; then
    tail -n "${LOG_LINES:-40}" "build/log/$name.log" >&2
    echo "$name failed after $((SECONDS - start)) s (status $status); the whole log: build/log/$name.log" >&2
  else
    echo "$name: $((SECONDS - start)) s"
  fi
  return "$status"
}

# build PRESET [TARGET...]: configures and builds into build/PRESET.
build() {
  local preset=$1
  shift
  run "configure-$preset" cmake --preset "$preset" &&
    run "build-$preset" cmake --build --preset "$preset" ${1:+--target "$@"}
}
