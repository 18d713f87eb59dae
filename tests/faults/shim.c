// SPDX-License-Identifier: Apache-2.0
// Stops one of our processes at an exact step, so that a test can do harm there.  The programs know
// nothing of it: this library is preloaded, and stands in for functions that they call.
//
//   LD_PRELOAD=shim.so FAULT_FILE=/dir/point FAULT_POINT='PROGRAM:FUNCTION[(PART)]:WHEN[:N]'
//
// The first process that arrives there makes FAULT_FILE, which holds its pid then, and stops itself
// (SIGSTOP); none does so again as long as the file is there.  PROGRAM is the end of an
// executable's path ("restic/backup"), and may be followed by its first arguments ("backup_host
// end", "rbd snap create").  FUNCTION is one of those below, or "main" (before: the program begins;
// after: it exits). PART: only calls for a path that holds it; of nbd_aio_pread "begin", or
// "exporter" for those of its fork.  WHEN is "before" or "after" the call.  N: the N-th call of
// this process (default 1).
//
// virDomainBackupBegin has a third WHEN, "between": it is then done in two calls, the backup first,
// then, after the stop, the checkpoint.  That is the mistake that a test has to be able to see.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
  bool here;  // this program is meant
  char function[64], part[128], when[16];
  int count;
  const char* file;
  pid_t began;
} point;
static atomic_int arrivals;

static bool meant(const char* program, int argc, char** argv) {
  char wanted[256], name[512];
  snprintf(wanted, sizeof wanted, "/%s", program);
  int words = 1;
  for (const char* at = program; (at = strchr(at, ' ')); ++at) ++words;
  size_t all = (size_t)snprintf(name, sizeof name, "/%s", program_invocation_name);
  for (int n = 1; n < words && n < argc && all < sizeof name; ++n)
    all += (size_t)snprintf(name + all, sizeof name - all, " %s", argv[n]);
  const size_t end = strlen(wanted);
  return all < sizeof name && all >= end && strcmp(name + all - end, wanted) == 0;
}

static void stop_here(void) {
  const int fd = open(point.file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd == -1) return;  // somebody was here before
  dprintf(fd, "%d\n", getpid());
  close(fd);
  raise(SIGSTOP);
}

static void arrive(const char* function, const char* path, const char* when) {
  if (!point.here || strcmp(function, point.function) || strcmp(when, point.when)) return;
  if (point.part[0] && (!path || !strstr(path, point.part))) return;
  if (atomic_fetch_add(&arrivals, 1) + 1 != point.count) return;
  const int error = errno;
  stop_here();
  errno = error;
}

__attribute__((constructor)) static void begin(int argc, char** argv) {
  const char* text = getenv("FAULT_POINT");
  char program[128];
  point.file = getenv("FAULT_FILE");
  point.began = getpid();
  if (!text || !point.file) return;
  point.count = 1;
  // With a part or without.
  if (sscanf(text, "%127[^:]:%63[^:(](%127[^)]):%15[^:]:%d", program, point.function, point.part,
             point.when, &point.count) < 4) {
    point.part[0] = 0;
    if (sscanf(text, "%127[^:]:%63[^:(]:%15[^:]:%d", program, point.function, point.when,
               &point.count) < 3)
      return;
  }
  point.here = meant(program, argc, argv);
  arrive("main", NULL, "before");
}

__attribute__((destructor)) static void end(void) { arrive("main", NULL, "after"); }

#define real(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define STAND_IN(type, name, parameters, arguments, path) \
  type name parameters {                                  \
    static __typeof__(&name) call;                        \
    if (!call) call = real(name);                         \
    arrive(#name, path, "before");                        \
    const type result = call arguments;                   \
    arrive(#name, path, "after");                         \
    return result;                                        \
  }

STAND_IN(int, virDomainFSFreeze,
         (virDomainPtr domain, const char** points, unsigned int count, unsigned int flags),
         (domain, points, count, flags), NULL)
STAND_IN(int, virDomainFSThaw,
         (virDomainPtr domain, const char** points, unsigned int count, unsigned int flags),
         (domain, points, count, flags), NULL)
STAND_IN(int, virDomainSuspend, (virDomainPtr domain), (domain), NULL)
STAND_IN(int, virDomainResume, (virDomainPtr domain), (domain), NULL)
STAND_IN(int, virDomainBlockCommit,
         (virDomainPtr domain, const char* disk, const char* base, const char* top,
          unsigned long bandwidth, unsigned int flags),
         (domain, disk, base, top, bandwidth, flags), NULL)
STAND_IN(int, virDomainAbortJob, (virDomainPtr domain), (domain), NULL)

int virDomainBackupBegin(virDomainPtr domain, const char* backup, const char* checkpoint,
                         unsigned int flags) {
  const bool split = point.here && !strcmp(point.when, "between");
  arrive("virDomainBackupBegin", NULL, "before");
  const int result = real(virDomainBackupBegin)(domain, backup, split ? NULL : checkpoint, flags);
  if (split && result == 0) {
    arrive("virDomainBackupBegin", NULL, "between");
    if (checkpoint && !real(virDomainCheckpointCreateXML)(domain, checkpoint, 0)) return -1;
  }
  arrive("virDomainBackupBegin", NULL, "after");
  return result;
}

STAND_IN(int64_t, nbd_aio_pread,
         (struct nbd_handle * handle, void* buffer, size_t size, uint64_t at,
          nbd_completion_callback callback, uint32_t flags),
         (handle, buffer, size, at, callback, flags),
         getpid() == point.began ? "begin" : "exporter")

int fuse_mount(void* fuse, const char* at);
STAND_IN(int, fuse_mount, (void* fuse, const char* at), (fuse, at), at)

int umount2(const char* at, int flags);
STAND_IN(int, umount2, (const char* at, int flags), (at, flags), at)
STAND_IN(int, rename, (const char* from, const char* to), (from, to), to)
STAND_IN(int, unlink, (const char* path), (path), path)
STAND_IN(int, remove, (const char* path), (path), path)
STAND_IN(ssize_t, write, (int fd, const void* bytes, size_t size), (fd, bytes, size), NULL)
