//===- vit-mpi.h - MPI for training on several ranks ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a plug-in exports that vit-run and the Python package open at run time
// where a launcher has started several processes. MPI libraries differ in their
// binary interface, so that a plug-in is compiled for one of them, from one
// file, runtime/mpi/vit-mpi.c: libvit-mpi-openmpi.so and libvit-mpi-mpich.so
// are built beside the runtime where the build finds these libraries. For
// another one:
//
//   mpicc -O2 -shared -fPIC -I runtime/include runtime/mpi/vit-mpi.c -o X.so
//
// and the environment variable VIT_MPI_LIBRARY names X.so.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_VIT_MPI_H
#define VIT_VIT_MPI_H

#include "vit/vit.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The largest notice, in bytes.
#define VIT_MPI_NOTICE 2048

/// The processes of MPI_COMM_WORLD. All functions may be called from any
/// thread; calls of MPI are made one at a time (MPI_THREAD_SERIALIZED), and
/// none of them waits.
typedef struct vit_mpi {
  size_t struct_size; ///< sizeof(vit_mpi), set by the caller.
  /// For vit_session_create, and for the application's own exchanges while no
  /// session runs. `all_reduce` is MPI_Iallreduce. A function that waits polls,
  /// and sleeps in between.
  vit_collective collective;
  const char *library; ///< "Open MPI v4.1.4, ...". Static storage.
  const char *host;    ///< MPI_Get_processor_name. Static storage.
  int32_t local_rank;  ///< Among the ranks that share this machine's memory.
  int32_t local_ranks;
  void *context; ///< Of the functions below.
  /// Sends at most VIT_MPI_NOTICE bytes to a rank. Returns before they arrive;
  /// the data is copied.
  vit_status (*send)(void *context, int32_t rank, const void *data, size_t size,
                     vit_error *error);
  /// The next notice that has arrived: its size, and the rank that sent it. 0:
  /// there is none.
  size_t (*receive)(void *context, int32_t *rank, void *data, size_t capacity);
  /// Functions of `collective` that wait, and later calls, fail with
  /// VIT_CANCELLED and `message`.
  void (*give_up)(void *context, const char *message);
  /// MPI_Abort: ends the processes of all ranks. Does not return.
  void (*abort)(void *context, int32_t status);
  /// MPI_Finalize, unless the application has called MPI_Init itself. All ranks
  /// call it at the end of the process, within which it has 10 seconds; nothing
  /// may be called afterwards.
  void (*close)(void *context);
} vit_mpi;

/// Calls MPI_Init_thread unless the application has done so. One call in a
/// process. Errors: VIT_INVALID_ARGUMENT (another version of this header),
/// VIT_UNSUPPORTED (MPI allows no second thread, or has been finalized).
VIT_API vit_status vit_mpi_open(vit_mpi *out, vit_error *error);
typedef vit_status (*vit_mpi_open_function)(vit_mpi *out, vit_error *error);

#ifdef __cplusplus
}
#endif

#endif // VIT_VIT_MPI_H
