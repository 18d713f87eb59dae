// SPDX-License-Identifier: Apache-2.0
// Lets the N-th call of one of our programs to the system fail, or kills the program there.  It
// knows nothing of it: this library is preloaded, and stands in for functions of the C library.
//
//   LD_PRELOAD=calls.so CALLS_FILE=/dir/calls CALLS_PROGRAM=restic/backup [CALLS_FAULT=FAULT:N]
//
// CALLS_FILE is a page of zeros, which all processes of the program share: see struct page. PROGRAM
// is the end of an executable's path, and may be followed by its first argument ("backup_host
// end"). Without a fault, calls are only counted; each fault counts the calls that it could happen
// to.
//
//   full    no space left, at the N-th call that needs some, and at all later ones
//   io      the call fails as on a broken disk, a closed pipe or a dead server; once
//   eintr   it is interrupted by a signal; once
//   short   it reads or writes a part of what it was asked for; once
//   kill    the process is dead before it calls
//
// CALLS_CLOCK=SECONDS is added to the time of day of whatever runs with it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum fault { full, io, eintr, cut, kill_it, faults };
static const char* const names[faults] = {"full", "io", "eintr", "short", "kill"};

// As the driver reads it.
struct page {
  _Atomic uint64_t counts[faults];
  _Atomic uint64_t happened;
  char what[200];
};

static struct page* page;
static enum fault wanted = faults;
static uint64_t at;
static time_t clock_off;

#define real(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool meant(const char* program, int argc, char** argv) {
  char end[256], name[512];
  snprintf(end, sizeof end, "/%s", program);
  snprintf(name, sizeof name, "/%s%s%s", program_invocation_name, strchr(program, ' ') ? " " : "",
           strchr(program, ' ') && argc > 1 ? argv[1] : "");
  const size_t all = strlen(name), length = strlen(end);
  return all >= length && strcmp(name + all - length, end) == 0;
}

__attribute__((constructor)) static void begin(int argc, char** argv) {
  const char* program = getenv("CALLS_PROGRAM");
  const char* file = getenv("CALLS_FILE");
  const char* text = getenv("CALLS_FAULT");
  const char* off = getenv("CALLS_CLOCK");
  if (off) clock_off = strtoll(off, NULL, 10);
  if (!program || !file || !meant(program, argc, argv)) return;
  const int fd = real(open)(file, O_RDWR | O_CLOEXEC);
  if (fd == -1) return;
  void* const found = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (found == MAP_FAILED) return;
  for (enum fault one = full; text && one < faults; ++one) {
    const size_t length = strlen(names[one]);
    if (strncmp(text, names[one], length) || text[length] != ':') continue;
    wanted = one;
    at = strtoull(text + length + 1, NULL, 10);
  }
  page = found;
}

// Does this fault happen to the call that asks?
static bool comes(enum fault one, const char* function, const char* what) {
  const uint64_t n = atomic_fetch_add(&page->counts[one], 1) + 1;
  if (one != wanted || (one == full ? n < at : n != at)) return false;
  if (atomic_fetch_add(&page->happened, 1) == 0)
    snprintf(page->what, sizeof page->what, "%s(%.150s)", function, what);
  if (one == kill_it) raise(SIGKILL);
  return true;
}

static bool of_the_system(const char* path) {
  return !strncmp(path, "/proc", 5) || !strncmp(path, "/dev", 4) || !strncmp(path, "/sys", 4) ||
         !strncmp(path, "/etc", 4) || !strncmp(path, "/usr", 4) || !strncmp(path, "/lib", 4);
}

// What is there already needs no space.
static bool is_new(const char* path) { return access(path, F_OK) != 0; }

// For calls with a path; space: they need some.
static int fails(const char* function, const char* path, bool space) {
  if (!page || of_the_system(path)) return 0;
  comes(kill_it, function, path);
  if (space && comes(full, function, path)) return ENOSPC;
  if (comes(io, function, path)) return EIO;
  return 0;
}

enum kind { none, file, pipe_end, net };

static enum kind kind_of(int fd, char* path, size_t size) {
  struct stat status;
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, size - 1);
  if (length < 0 || fstat(fd, &status)) return none;
  path[length] = 0;
  if (S_ISREG(status.st_mode)) return of_the_system(path) ? none : file;
  if (S_ISFIFO(status.st_mode)) return pipe_end;
  return S_ISSOCK(status.st_mode) ? net : none;
}

// For calls with a descriptor; *size is what it may do at most.  Nobody could be told of a failing
// stderr.
static int fails_fd(const char* function, int fd, bool writes, bool space, size_t* size) {
  char path[256];
  if (!page || (writes && fd == 2)) return 0;
  const int before = errno;
  const enum kind kind = kind_of(fd, path, sizeof path);
  errno = before;
  if (kind == none) return 0;
  comes(kill_it, function, path);
  if (kind == file && space && comes(full, function, path)) return ENOSPC;
  // A pipe can be read until its end, whatever happens on the other side; and who reads what we
  // write has gone only where he is our caller: a child that dies is one whose own calls fail.
  if (kind == file && comes(io, function, path)) return EIO;
  if (kind == net && comes(io, function, path)) return writes ? EPIPE : ECONNRESET;
  if (kind == pipe_end && writes && fd == STDOUT_FILENO && comes(io, function, path)) {
    raise(SIGPIPE);
    return EPIPE;
  }
  if (size && kind != file && comes(eintr, function, path)) return EINTR;
  if (size && *size > 1 && comes(cut, function, path)) *size = (*size + 1) / 2;
  return 0;
}

#define OR_FAIL(error)   \
  do {                   \
    const int e = error; \
    if (e) {             \
      errno = e;         \
      return -1;         \
    }                    \
  } while (0)

#define TRANSFER(type, name, parameters, writes, ...)    \
  type name parameters {                                 \
    OR_FAIL(fails_fd(#name, fd, writes, writes, &size)); \
    return real(name)(__VA_ARGS__);                      \
  }
TRANSFER(ssize_t, write, (int fd, const void* bytes, size_t size), true, fd, bytes, size)
TRANSFER(ssize_t, read, (int fd, void* bytes, size_t size), false, fd, bytes, size)
TRANSFER(ssize_t, pwrite, (int fd, const void* bytes, size_t size, off_t where), true, fd, bytes,
         size, where)
TRANSFER(ssize_t, pread, (int fd, void* bytes, size_t size, off_t where), false, fd, bytes, size,
         where)
TRANSFER(ssize_t, pwrite64, (int fd, const void* bytes, size_t size, off64_t where), true, fd,
         bytes, size, where)
TRANSFER(ssize_t, pread64, (int fd, void* bytes, size_t size, off64_t where), false, fd, bytes,
         size, where)

#define ON_FILE(name, parameters, space, ...)        \
  int name parameters {                              \
    OR_FAIL(fails_fd(#name, fd, true, space, NULL)); \
    return real(name)(__VA_ARGS__);                  \
  }
ssize_t writev(int fd, const struct iovec* parts, int count) {
  OR_FAIL(fails_fd("writev", fd, true, true, NULL));
  return real(writev)(fd, parts, count);
}
ON_FILE(fsync, (int fd), true, fd)
ON_FILE(fdatasync, (int fd), true, fd)
ON_FILE(ftruncate, (int fd, off_t size), true, fd, size)
ON_FILE(ftruncate64, (int fd, off64_t size), true, fd, size)
ON_FILE(fallocate, (int fd, int mode, off_t where, off_t size), true, fd, mode, where, size)

#define ON_PATH(name, parameters, path, space, ...) \
  int name parameters {                             \
    OR_FAIL(fails(#name, path, space));             \
    return real(name)(__VA_ARGS__);                 \
  }
ON_PATH(rename, (const char* from, const char* to), to, true, from, to)
ON_PATH(renameat, (int there, const char* from, int here, const char* to), to, true, there, from,
        here, to)
ON_PATH(renameat2, (int there, const char* from, int here, const char* to, unsigned int flags), to,
        true, there, from, here, to, flags)
ON_PATH(mkdir, (const char* path, mode_t mode), path, is_new(path), path, mode)
ON_PATH(mkdirat, (int there, const char* path, mode_t mode), path, is_new(path), there, path, mode)
ON_PATH(symlink, (const char* to, const char* path), path, true, to, path)
ON_PATH(link, (const char* from, const char* path), path, true, from, path)
ON_PATH(linkat, (int there, const char* from, int here, const char* to, int flags), to, true, there,
        from, here, to, flags)
ON_PATH(unlink, (const char* path), path, false, path)
ON_PATH(unlinkat, (int there, const char* path, int flags), path, false, there, path, flags)
ON_PATH(rmdir, (const char* path), path, false, path)

#define MODE                                                                      \
  va_list list;                                                                   \
  va_start(list, flags);                                                          \
  const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0; \
  va_end(list)
#define OPEN(name, first, ...)                                      \
  int name(first const char* path, int flags, ...) {                \
    MODE;                                                           \
    OR_FAIL(fails(#name, path, (flags & O_CREAT) && is_new(path))); \
    return real(name)(__VA_ARGS__ path, flags, mode);               \
  }
#define NOTHING
#define THERE int there,
OPEN(open, NOTHING, NOTHING)
OPEN(open64, NOTHING, NOTHING)
OPEN(openat, THERE, there, )
OPEN(openat64, THERE, there, )

int connect(int fd, const struct sockaddr* address, socklen_t size) {
  if (page) {
    comes(kill_it, "connect", "");
    if (comes(io, "connect", "")) OR_FAIL(ECONNREFUSED);
    if (comes(eintr, "connect", "")) OR_FAIL(EINTR);
  }
  return real(connect)(fd, address, size);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = real(clock_gettime)(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += clock_off;
  return result;
}
time_t time(time_t* now) {
  const time_t result = real(time)(NULL) + clock_off;
  if (now) *now = result;
  return result;
}
