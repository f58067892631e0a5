# ===- common.sh - Functions shared by the scripts -------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
# Sourced by the other scripts, in the root folder of the repository.

mkdir -p build/log

# run NAME COMMAND...: runs it with its output in build/log/NAME.log and appends its seconds to
# build/log/times. On failure prints the end of the log and returns the status.
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

# build PRESET [TARGET...]: configures and builds in build/PRESET.
build() {
  local preset=$1
  shift
  run "configure-$preset" cmake --preset "$preset" &&
    run "build-$preset" cmake --build --preset "$preset" ${1:+--target "$@"}
}
