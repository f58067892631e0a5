# ===- _errors.py - The exception of vitrt ---------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#


class Error(RuntimeError):
    """A call that failed: one sentence that says what is wrong and what to do.

    `status` is the name of the runtime's status: "VIT_INVALID_ARGUMENT", "VIT_NOT_FOUND",
    "VIT_IO_ERROR", "VIT_CORRUPT", "VIT_UNSUPPORTED", "VIT_OUT_OF_MEMORY", "VIT_OVER_BUDGET",
    "VIT_CANCELLED", "VIT_INTERNAL" or "VIT_DEVICE_LOST" (vit.h says when each is given).
    """

    def __init__(self, message: str, status: str = "VIT_INVALID_ARGUMENT"):
        super().__init__(message)
        self.status = status

    def __reduce__(self):
        return Error, (str(self), self.status)
