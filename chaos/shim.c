/* Faults of the machine for one process, by LD_PRELOAD: a full disk, a slow disk and a wrong wall clock.
 *
 * JISHI_CHAOS_CONTROL names a file of three int64: is_full (0 or 1), sync_delay_ms, clock_skew_ms. It is mapped, so that a fault
 * begins and ends while the process runs. JISHI_CHAOS_FOLDER names the folder whose disk fails. A full disk takes half of a
 * write of several bytes and then none, as a real one may; a sync of it still works, and so does cutting a file. The clock is that
 * of clock_gettime, which Python and Java read; gettimeofday stays, for librdkafka makes of it the ends of its waits.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int64_t is_full, sync_delay_ms, clock_skew_ms;
};

static struct control *control;
static const char *folder;
static ssize_t (*next_write)(int, const void *, size_t);
static ssize_t (*next_pwrite)(int, const void *, size_t, off_t);
static int (*next_fsync)(int);
static int (*next_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  next_write = dlsym(RTLD_NEXT, "write");
  next_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  next_fsync = dlsym(RTLD_NEXT, "fsync");
  next_clock = dlsym(RTLD_NEXT, "clock_gettime");
  const char *file = getenv("JISHI_CHAOS_CONTROL");
  folder = getenv("JISHI_CHAOS_FOLDER");
  if (file == NULL || folder == NULL) return;
  int descriptor = open(file, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (mapped != MAP_FAILED) control = mapped;
}

static int is_there(int descriptor) {
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = '\0';
  size_t prefix = strlen(folder);
  return strncmp(target, folder, prefix) == 0 && (target[prefix] == '/' || target[prefix] == '\0');
}

static int is_full(int descriptor) { return control != NULL && control->is_full && is_there(descriptor); }

/* What still fits: half of the bytes the first time, so that a torn entry lies in the file, then nothing. */
static size_t room(size_t count) {
  static __thread int is_half_taken;
  is_half_taken = !is_half_taken;
  return is_half_taken ? count / 2 : 0;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  if (is_full(descriptor)) {
    count = room(count);
    if (count == 0) {
      errno = ENOSPC;
      return -1;
    }
  }
  return next_write(descriptor, bytes, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
  if (is_full(descriptor)) {
    errno = ENOSPC;
    return -1;
  }
  return next_pwrite(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return pwrite64(descriptor, bytes, count, offset);
}

int fsync(int descriptor) {
  if (control != NULL && control->sync_delay_ms > 0 && is_there(descriptor)) {
    int64_t delay_ms = control->sync_delay_ms;
    struct timespec pause = {delay_ms / 1000, (delay_ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
  }
  return next_fsync(descriptor);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  // An allocator may ask for the time before this library is ready, as that of Redis does.
  int failed = next_clock != NULL ? next_clock(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
  if (failed == 0 && clock == CLOCK_REALTIME && control != NULL && control->clock_skew_ms != 0) {
    int64_t ms = control->clock_skew_ms;
    now->tv_sec += ms / 1000;
    now->tv_nsec += (ms % 1000) * 1000000;
    if (now->tv_nsec < 0) now->tv_nsec += 1000000000, now->tv_sec -= 1;
    if (now->tv_nsec >= 1000000000) now->tv_nsec -= 1000000000, now->tv_sec += 1;
  }
  return failed;
}
