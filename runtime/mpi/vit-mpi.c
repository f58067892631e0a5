//===- vit-mpi.c - MPI for training on several ranks ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plug-in that vit-mpi.h describes. It is linked with MPI alone.
//
// Every operation is started without waiting and then tested until it is
// complete. So calls of MPI from several threads can be made one at a time,
// under a mutex, a rank that waits leaves its cores to the threads that
// compute, and a wait can be given up when another rank is gone.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include "vit/vit-mpi.h"

#include <mpi.h>

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  kTag = 1,
};

// A notice on its way.
typedef struct {
  MPI_Request request;
  char data[VIT_MPI_NOTICE];
} Sent;

typedef struct {
  pthread_mutex_t mutex; // Of all calls of MPI.
  MPI_Comm data;
  MPI_Comm notices;
  int rank, ranks;
  int ours;   // This plug-in has initialised MPI.
  Sent *sent; // Twice as many as ranks and some; further ones are dropped.
  int sends;
  int *counts, *offsets, *otherCounts, *otherOffsets;
  volatile int hasGivenUp;
  char reason[sizeof(((vit_error *)0)->message)];
} World;

static World world = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static char library[MPI_MAX_LIBRARY_VERSION_STRING];
static char host[MPI_MAX_PROCESSOR_NAME];

static vit_status fail(vit_error *error, vit_status status, const char *format,
                       ...) {
  if (error) {
    va_list list;
    va_start(list, format);
    vsnprintf(error->message, sizeof error->message, format, list);
    va_end(list);
  }
  return status;
}

static vit_status failMpi(vit_error *error, const char *what, int code) {
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  return fail(error, VIT_IO_ERROR, "%s: %s", what, text);
}

// Yields first, as most waits are short, then sleeps: the cores belong to the
// threads that compute.
static void rest(unsigned turn) {
  if (turn < 50) {
    sched_yield();
    return;
  }
  struct timespec pause = {0, turn < 1000 ? 20000 : 200000};
  nanosleep(&pause, NULL);
}

// Waits for a request that was started with the result `code`.
static vit_status finish(World *w, int code, MPI_Request *request,
                         const char *what, vit_error *error) {
  if (code != MPI_SUCCESS)
    return failMpi(error, what, code);
  for (unsigned turn = 0;; ++turn) {
    int done = 0;
    pthread_mutex_lock(&w->mutex);
    code = MPI_Test(request, &done, MPI_STATUS_IGNORE);
    pthread_mutex_unlock(&w->mutex);
    if (code != MPI_SUCCESS)
      return failMpi(error, what, code);
    if (done)
      return VIT_OK;
    // The request stays where it is: MPI cannot cancel a collective one, and
    // the process ends soon.
    if (w->hasGivenUp)
      return fail(error, VIT_CANCELLED, "%s", w->reason);
    rest(turn);
  }
}

// MPI counts in int: floats reach further than bytes.
static vit_status layOut(World *w, const size_t *sizes, vit_error *error) {
  size_t offset = 0;
  for (int q = 0; q < w->ranks; ++q) {
    if (sizes[q] % sizeof(float) != 0)
      return fail(error, VIT_INVALID_ARGUMENT,
                  "a slice of %zu bytes holds no whole number of floats",
                  sizes[q]);
    if (offset + sizes[q] > (size_t)INT_MAX * sizeof(float))
      return fail(error, VIT_UNSUPPORTED,
                  "MPI exchanges at most 8 GiB at a time; use smaller buckets");
    w->counts[q] = (int)(sizes[q] / sizeof(float));
    w->offsets[q] = (int)(offset / sizeof(float));
    offset += sizes[q];
  }
  return VIT_OK;
}

static vit_status givenUp(World *w, vit_error *error) {
  return fail(error, VIT_CANCELLED, "%s", w->reason);
}

static vit_status exchange(void *context, const void *send, const size_t *sizes,
                           void *receive, vit_error *error) {
  World *w = context;
  if (w->hasGivenUp)
    return givenUp(w, error);
  vit_status status = layOut(w, sizes, error);
  if (status != VIT_OK)
    return status;
  int own = w->counts[w->rank];
  if ((size_t)own * (size_t)w->ranks > INT_MAX)
    return fail(error, VIT_UNSUPPORTED,
                "MPI receives at most 8 GiB at a time; use smaller buckets");
  for (int q = 0; q < w->ranks; ++q) {
    w->otherCounts[q] = own;
    w->otherOffsets[q] = own * q;
  }
  MPI_Request request;
  pthread_mutex_lock(&w->mutex);
  int code = MPI_Ialltoallv(send, w->counts, w->offsets, MPI_FLOAT, receive,
                            w->otherCounts, w->otherOffsets, MPI_FLOAT, w->data,
                            &request);
  pthread_mutex_unlock(&w->mutex);
  return finish(w, code, &request, "MPI_Ialltoallv", error);
}

static vit_status allGather(void *context, void *data, const size_t *sizes,
                            vit_error *error) {
  World *w = context;
  if (w->hasGivenUp)
    return givenUp(w, error);
  vit_status status = layOut(w, sizes, error);
  if (status != VIT_OK)
    return status;
  MPI_Request request;
  pthread_mutex_lock(&w->mutex);
  int code =
      MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, w->counts,
                      w->offsets, MPI_FLOAT, w->data, &request);
  pthread_mutex_unlock(&w->mutex);
  return finish(w, code, &request, "MPI_Iallgatherv", error);
}

static vit_status allReduce(void *context, float *data, size_t count,
                            vit_error *error) {
  World *w = context;
  if (w->hasGivenUp)
    return givenUp(w, error);
  if (count > INT_MAX)
    return fail(error, VIT_UNSUPPORTED,
                "MPI reduces at most 8 GiB at a time; use smaller buckets");
  MPI_Request request;
  pthread_mutex_lock(&w->mutex);
  int code = MPI_Iallreduce(MPI_IN_PLACE, data, (int)count, MPI_FLOAT, MPI_SUM,
                            w->data, &request);
  pthread_mutex_unlock(&w->mutex);
  return finish(w, code, &request, "MPI_Iallreduce", error);
}

static void giveUp(void *context, const char *message) {
  World *w = context;
  pthread_mutex_lock(&w->mutex);
  if (!w->hasGivenUp) {
    snprintf(w->reason, sizeof w->reason, "%s", message);
    __sync_synchronize();
    w->hasGivenUp = 1;
  }
  pthread_mutex_unlock(&w->mutex);
}

static vit_status sendNotice(void *context, int32_t rank, const void *data,
                             size_t size, vit_error *error) {
  World *w = context;
  if (rank < 0 || rank >= w->ranks || size == 0 || size > VIT_MPI_NOTICE)
    return fail(error, VIT_INVALID_ARGUMENT,
                "a notice has 1 to %d bytes, for rank 0 to %d", VIT_MPI_NOTICE,
                w->ranks - 1);
  int code = MPI_ERR_PENDING;
  pthread_mutex_lock(&w->mutex);
  for (int i = 0; i < w->sends; ++i) {
    Sent *sent = &w->sent[i];
    int done = 1;
    if (sent->request != MPI_REQUEST_NULL)
      MPI_Test(&sent->request, &done, MPI_STATUS_IGNORE);
    if (!done)
      continue;
    memcpy(sent->data, data, size);
    code = MPI_Isend(sent->data, (int)size, MPI_BYTE, rank, kTag, w->notices,
                     &sent->request);
    break;
  }
  pthread_mutex_unlock(&w->mutex);
  return code == MPI_SUCCESS ? VIT_OK : failMpi(error, "MPI_Isend", code);
}

static size_t receiveNotice(void *context, int32_t *rank, void *data,
                            size_t capacity) {
  World *w = context;
  int there = 0, size = 0;
  MPI_Status status;
  pthread_mutex_lock(&w->mutex);
  if (MPI_Iprobe(MPI_ANY_SOURCE, kTag, w->notices, &there, &status) ==
          MPI_SUCCESS &&
      there) {
    // A message that was probed and is as small as this one is there at once.
    char notice[VIT_MPI_NOTICE];
    if (MPI_Recv(notice, sizeof notice, MPI_BYTE, status.MPI_SOURCE, kTag,
                 w->notices, &status) == MPI_SUCCESS &&
        MPI_Get_count(&status, MPI_BYTE, &size) == MPI_SUCCESS && size > 0 &&
        (size_t)size <= capacity) {
      memcpy(data, notice, (size_t)size);
      *rank = status.MPI_SOURCE;
    } else {
      size = 0;
    }
  }
  pthread_mutex_unlock(&w->mutex);
  return (size_t)size;
}

static void abortAll(void *context, int32_t status) {
  World *w = context;
  // Another thread may be inside MPI and not come out again.
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  if (pthread_mutex_timedlock(&w->mutex, &until) == 0)
    MPI_Abort(MPI_COMM_WORLD, status);
  _exit(status);
}

// After 10 seconds ends the process.
static void *endLate(void *ignored) {
  sleep(10);
  _exit(0);
  return ignored;
}

static void closeWorld(void *context) {
  World *w = context;
  int isFinalized = 0;
  // MPI_Finalize need not advance what is still on its way, here or elsewhere.
  for (int i = 0; i < w->sends; ++i)
    if (w->sent[i].request != MPI_REQUEST_NULL)
      finish(w, MPI_SUCCESS, &w->sent[i].request, "MPI_Isend", NULL);
  MPI_Request barrier;
  finish(w, MPI_Ibarrier(w->data, &barrier), &barrier, "MPI_Ibarrier", NULL);
  if (!w->ours || MPI_Finalized(&isFinalized) != MPI_SUCCESS || isFinalized)
    return;
  // All are here. Yet in MPICH 4.0 over UCX's TCP one rank may wait in
  // MPI_Finalize for another that no longer advances the connection.
  pthread_t thread;
  if (pthread_create(&thread, NULL, endLate, NULL) == 0)
    pthread_detach(thread);
  MPI_Finalize();
}

static int makeCommunicators(World *w) {
  int code;
  if ((code = MPI_Comm_dup(MPI_COMM_WORLD, &w->data)) != MPI_SUCCESS ||
      (code = MPI_Comm_dup(MPI_COMM_WORLD, &w->notices)) != MPI_SUCCESS)
    return code;
  MPI_Comm_set_errhandler(w->data, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(w->notices, MPI_ERRORS_RETURN);
  MPI_Comm_rank(w->data, &w->rank);
  MPI_Comm_size(w->data, &w->ranks);
  w->sends = 2 * w->ranks + 16;
  w->sent = malloc((size_t)w->sends * sizeof(Sent));
  if (!w->sent)
    return MPI_ERR_NO_MEM;
  for (int i = 0; i < w->sends; ++i)
    w->sent[i].request = MPI_REQUEST_NULL;
  return MPI_SUCCESS;
}

static int findLocalRank(int32_t *rank, int32_t *ranks) {
  MPI_Comm local;
  int code = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0,
                                 MPI_INFO_NULL, &local);
  if (code != MPI_SUCCESS)
    return code;
  int value = 0;
  MPI_Comm_rank(local, &value);
  *rank = value;
  MPI_Comm_size(local, &value);
  *ranks = value;
  return MPI_Comm_free(&local);
}

static vit_status initialise(World *w, vit_error *error) {
  int isInitialized = 0, isFinalized = 0, level = MPI_THREAD_SINGLE;
  MPI_Initialized(&isInitialized);
  MPI_Finalized(&isFinalized);
  if (isFinalized)
    return fail(error, VIT_UNSUPPORTED,
                "this process has called MPI_Finalize already");
  if (isInitialized) {
    MPI_Query_thread(&level);
  } else {
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    if (code != MPI_SUCCESS)
      return failMpi(error, "MPI_Init_thread", code);
    w->ours = 1;
  }
  if (level < MPI_THREAD_SERIALIZED)
    return fail(error, VIT_UNSUPPORTED,
                "MPI was initialised for one thread; call MPI_Init_thread with "
                "MPI_THREAD_SERIALIZED or more");
  return VIT_OK;
}

VIT_API vit_status vit_mpi_open(vit_mpi *out, vit_error *error) {
  World *w = &world;
  if (!out || out->struct_size != sizeof *out)
    return fail(error, VIT_INVALID_ARGUMENT,
                "this plug-in for MPI is of another version; build it again");
  vit_status status = initialise(w, error);
  if (status != VIT_OK)
    return status;
  int code = makeCommunicators(w);
  if (code == MPI_SUCCESS)
    code = findLocalRank(&out->local_rank, &out->local_ranks);
  if (code != MPI_SUCCESS)
    return failMpi(error, "MPI_Comm_dup", code);
  int *numbers = calloc(4 * (size_t)w->ranks, sizeof(int));
  if (!numbers)
    return fail(error, VIT_OUT_OF_MEMORY, "out of memory");
  w->counts = numbers;
  w->offsets = numbers + w->ranks;
  w->otherCounts = numbers + 2 * w->ranks;
  w->otherOffsets = numbers + 3 * w->ranks;
  int length = 0;
  MPI_Get_library_version(library, &length);
  library[strcspn(library, "\n")] = 0;
  MPI_Get_processor_name(host, &length);

  out->library = library;
  out->host = host;
  out->context = w;
  out->send = sendNotice;
  out->receive = receiveNotice;
  out->give_up = giveUp;
  out->abort = abortAll;
  out->close = closeWorld;
  vit_collective collective = {0};
  collective.struct_size = sizeof collective;
  collective.context = w;
  collective.rank = w->rank;
  collective.ranks = w->ranks;
  collective.exchange = exchange;
  collective.all_gather = allGather;
  collective.all_reduce = allReduce;
  collective.abort = giveUp;
  out->collective = collective;
  return VIT_OK;
}
