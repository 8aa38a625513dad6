/* Counts what a process writes below a folder, by LD_PRELOAD, and kills the process at one of its writes.
 *
 * JISHI_CRASH_CONTROL names a file of three int64: count, at, is_torn. A write is any call that changes a file or a name below
 * JISHI_CRASH_FOLDER: write, pwrite, fsync, fdatasync, ftruncate, rename, unlink, symlink, mkdir. Before the at-th one (from 1) the
 * process gets SIGKILL; with is_torn it first writes half of the bytes, if it is a write of several. Whatever language made the
 * call is caught, as long as it goes through the C library: Python, SQLite, DuckDB, Arrow.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct control {
  int64_t count, at, is_torn;
};

static struct control *control;
static const char *folder;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("JISHI_CRASH_CONTROL");
  folder = getenv("JISHI_CRASH_FOLDER");
  if (file == NULL || folder == NULL) return;
  int descriptor = open(file, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (mapped != MAP_FAILED) control = mapped;
}

static int is_below(const char *path) {
  size_t prefix = strlen(folder);
  return strncmp(path, folder, prefix) == 0 && (path[prefix] == '/' || path[prefix] == '\0');
}

/* Whether this is the write at which the process ends. */
static int is_last(const char *path) {
  if (control == NULL || control->at == 0 || !is_below(path)) return 0;
  return __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST) == control->at;
}

static int is_last_at(int descriptor) {
  if (control == NULL || control->at == 0) return 0;
  char link[64], target[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = '\0';
  return is_last(target);
}

static void die(void) { kill(getpid(), SIGKILL); }

static int is_torn(size_t count) { return control->is_torn && count > 1; }

ssize_t write(int descriptor, const void *bytes, size_t count) {
  if (is_last_at(descriptor)) {
    if (is_torn(count) && NEXT(write)(descriptor, bytes, count / 2) < 0) die();
    die();
  }
  return NEXT(write)(descriptor, bytes, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
  if (is_last_at(descriptor)) {
    if (is_torn(count) && NEXT(pwrite64)(descriptor, bytes, count / 2, offset) < 0) die();
    die();
  }
  return NEXT(pwrite64)(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return pwrite64(descriptor, bytes, count, offset);
}

int fsync(int descriptor) {
  if (is_last_at(descriptor)) die();
  return NEXT(fsync)(descriptor);
}

int fdatasync(int descriptor) {
  if (is_last_at(descriptor)) die();
  return NEXT(fdatasync)(descriptor);
}

int ftruncate64(int descriptor, off_t length) {
  if (is_last_at(descriptor)) die();
  return NEXT(ftruncate64)(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int rename(const char *from, const char *to) {
  if (is_last(to)) die();
  return NEXT(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  if (is_last(to)) die();
  return NEXT(renameat)(from_folder, from, to_folder, to);
}

int unlink(const char *path) {
  if (is_last(path)) die();
  return NEXT(unlink)(path);
}

int symlink(const char *target, const char *path) {
  if (is_last(path)) die();
  return NEXT(symlink)(target, path);
}

int mkdir(const char *path, mode_t mode) {
  if (is_last(path)) die();
  return NEXT(mkdir)(path, mode);
}
