/* Counts what processes write below a folder, by LD_PRELOAD, and at one of the writes kills the process or holds it.
 *
 * JISHI_CRASH_CONTROL names a file of three int64: count, at, mode. A write is any call of the C library that changes a file or a
 * name below JISHI_CRASH_FOLDER: the list is below. At the at-th one (from 1), by mode:
 *   0  SIGKILL before it
 *   1  SIGKILL after half of its bytes, if it is a write of several, else before it
 *   2  it waits, before it, until ``at`` changes; then it goes on
 *   3  nothing ends; every write is told in JISHI_CRASH_TRACE, a line "call path" each
 *   4  from it on the disk is full: what needs room fails with ENOSPC, as bytes, new files and folders do
 * With JISHI_CRASH_GROUP all processes of the group are killed, such as a driver and its JVM. Whatever language made the call is
 * caught (Python, SQLite, DuckDB, Arrow, Java), but for streams of C itself (fwrite), which none of these uses for data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BEFORE, TORN, HELD, TRACED, FULL };
enum { DO, HALF, REFUSE };

struct control {
  volatile int64_t count, at, mode;
};

static struct control *control;
static const char *folder;
static int trace = -1, is_group;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("JISHI_CRASH_CONTROL"), *traced = getenv("JISHI_CRASH_TRACE");
  folder = getenv("JISHI_CRASH_FOLDER");
  is_group = getenv("JISHI_CRASH_GROUP") != NULL;
  if (file == NULL || folder == NULL) return;
  int descriptor = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (traced != NULL) trace = syscall(SYS_openat, AT_FDCWD, traced, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (mapped != MAP_FAILED) control = mapped;
}

static int is_below(const char *path) {
  size_t prefix = strlen(folder);
  return strncmp(path, folder, prefix) == 0 && (path[prefix] == '/' || path[prefix] == '\0');
}

static void die(void) { kill(is_group ? 0 : getpid(), SIGKILL); }

static void tell(const char *call, const char *path) {
  char line[PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%s %s\n", call, path);
  if (length > 0 && syscall(SYS_write, trace, line, (size_t)length) < 0) _exit(70);
}

static int needs_room(const char *call) {
  return strcmp(call, "write") == 0 || strcmp(call, "copy") == 0 || strcmp(call, "create") == 0 || strcmp(call, "mkdir") == 0 ||
         strcmp(call, "link") == 0;
}

/* What is to be done with this write: HALF of it before the process ends. It does not return where the process ends before it. */
static int meets(const char *call, const char *path, size_t bytes) {
  if (control == NULL || control->at == 0 || !is_below(path)) return DO;
  if (control->mode == TRACED && trace >= 0) tell(call, path);
  int64_t at = control->at;
  int64_t count = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
  if (control->mode == FULL && count >= at && needs_room(call)) return REFUSE;
  if (control->mode == FULL || count != at) return DO;
  if (control->mode == HELD) {
    while (control->at == at) usleep(1000);
    return DO;
  }
  if (control->mode == TORN && bytes > 1) return HALF;
  die();
  return DO;
}

static int path_of(int descriptor, char *target) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, target, PATH_MAX - 1);
  if (length < 0) return 0;
  target[length] = '\0';
  return 1;
}

static int meets_at(const char *call, int descriptor, size_t bytes) {
  char target[PATH_MAX];
  if (control == NULL || control->at == 0) return DO;
  int before = errno;
  int met = path_of(descriptor, target) ? meets(call, target, bytes) : DO;
  errno = met == REFUSE ? ENOSPC : before;
  return met;
}

/* A name in a folder, which is the working one or given by a descriptor unless the name is absolute. What makes a name that is
 * there already, or takes one away that is not, changes nothing and is no write.
 */
static int meets_name(const char *call, int in, const char *name) {
  char target[2 * PATH_MAX];
  int met = DO;
  if (control == NULL || control->at == 0 || name == NULL) return DO;
  int before = errno;
  int is_there = faccessat(in, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if ((strcmp(call, "mkdir") == 0 && is_there) || (strcmp(call, "unlink") == 0 && !is_there)) {
    errno = before;
    return DO;
  }
  if (name[0] == '/') {
    met = meets(call, name, 0);
  } else if (in == AT_FDCWD ? getcwd(target, PATH_MAX) != NULL : path_of(in, target)) {
    size_t length = strlen(target);
    snprintf(target + length, sizeof target - length, "/%s", name);
    met = meets(call, target, 0);
  }
  errno = met == REFUSE ? ENOSPC : before;
  return met;
}

/* --- bytes of a file --- */

ssize_t write(int descriptor, const void *bytes, size_t count) {
  int met = meets_at("write", descriptor, count);
  if (met == REFUSE) return -1;
  if (met == HALF) {
    if (syscall(SYS_write, descriptor, bytes, count / 2) < 0) die();
    die();
  }
  return NEXT(write)(descriptor, bytes, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
  int met = meets_at("write", descriptor, count);
  if (met == REFUSE) return -1;
  if (met == HALF) {
    if (syscall(SYS_pwrite64, descriptor, bytes, count / 2, offset) < 0) die();
    die();
  }
  return NEXT(pwrite64)(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return pwrite64(descriptor, bytes, count, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  int met = meets_at("write", descriptor, count > 0 ? 2 : 0);
  if (met == REFUSE) return -1;
  if (met == HALF) {
    if (syscall(SYS_write, descriptor, parts[0].iov_base, (parts[0].iov_len + 1) / 2) < 0) die();
    die();
  }
  return NEXT(writev)(descriptor, parts, count);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset) {
  if (meets_at("write", descriptor, 0) == REFUSE) return -1;
  return NEXT(pwritev64)(descriptor, parts, count, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(descriptor, parts, count, offset);
}

ssize_t sendfile64(int to, int from, off_t *offset, size_t count) {
  int met = meets_at("copy", to, count);
  if (met == REFUSE) return -1;
  if (met == HALF) {
    struct stat64 status;
    size_t half = fstat64(from, &status) == 0 && (size_t)status.st_size < count ? (size_t)status.st_size / 2 : count / 2;
    if (syscall(SYS_sendfile, to, from, offset, half) < 0) die();
    die();
  }
  return NEXT(sendfile64)(to, from, offset, count);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t count) { return sendfile64(to, from, offset, count); }

ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t count, unsigned flags) {
  if (meets_at("copy", to, 0) == REFUSE) return -1;
  return NEXT(copy_file_range)(from, from_at, to, to_at, count, flags);
}

int fsync(int descriptor) {
  meets_at("fsync", descriptor, 0);
  return NEXT(fsync)(descriptor);
}

int fdatasync(int descriptor) {
  meets_at("fsync", descriptor, 0);
  return NEXT(fdatasync)(descriptor);
}

int ftruncate64(int descriptor, off_t length) {
  meets_at("truncate", descriptor, 0);
  return NEXT(ftruncate64)(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int truncate64(const char *path, off_t length) {
  meets_name("truncate", AT_FDCWD, path);
  return NEXT(truncate64)(path, length);
}

int truncate(const char *path, off_t length) { return truncate64(path, length); }

int fallocate64(int descriptor, int mode, off_t offset, off_t length) {
  meets_at("truncate", descriptor, 0);
  return NEXT(fallocate64)(descriptor, mode, offset, length);
}

int posix_fallocate64(int descriptor, off_t offset, off_t length) {
  meets_at("truncate", descriptor, 0);
  return NEXT(posix_fallocate64)(descriptor, offset, length);
}

/* --- names --- */

/* Opening is a write where it makes a file or empties one. */
static int meets_open(int in, const char *path, int flags) {
  if (control == NULL || control->at == 0) return DO;
  int before = errno;
  int is_new = (flags & O_CREAT) && faccessat(in, path, F_OK, 0) != 0;
  int is_emptied = (flags & O_TRUNC) && !is_new;
  errno = before;
  return is_new || is_emptied ? meets_name(is_new ? "create" : "empty", in, path) : DO;
}

#define OPEN(name)                                       \
  int name(const char *path, int flags, ...) {           \
    mode_t mode = 0;                                     \
    if (flags & (O_CREAT | __O_TMPFILE)) {               \
      va_list rest;                                      \
      va_start(rest, flags);                             \
      mode = va_arg(rest, mode_t);                       \
      va_end(rest);                                      \
    }                                                    \
    if (meets_open(AT_FDCWD, path, flags) == REFUSE) return -1; \
    return NEXT(name)(path, flags, mode);                \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                     \
  int name(int in, const char *path, int flags, ...) {   \
    mode_t mode = 0;                                     \
    if (flags & (O_CREAT | __O_TMPFILE)) {               \
      va_list rest;                                      \
      va_start(rest, flags);                             \
      mode = va_arg(rest, mode_t);                       \
      va_end(rest);                                      \
    }                                                    \
    if (meets_open(in, path, flags) == REFUSE) return -1; \
    return NEXT(name)(in, path, flags, mode);            \
  }
OPENAT(openat)
OPENAT(openat64)

int rename(const char *from, const char *to) {
  meets_name("rename", AT_FDCWD, to);
  return NEXT(rename)(from, to);
}

int renameat(int from_in, const char *from, int to_in, const char *to) {
  meets_name("rename", to_in, to);
  return NEXT(renameat)(from_in, from, to_in, to);
}

int renameat2(int from_in, const char *from, int to_in, const char *to, unsigned flags) {
  meets_name("rename", to_in, to);
  return NEXT(renameat2)(from_in, from, to_in, to, flags);
}

int unlink(const char *path) {
  meets_name("unlink", AT_FDCWD, path);
  return NEXT(unlink)(path);
}

int unlinkat(int in, const char *path, int flags) {
  meets_name("unlink", in, path);
  return NEXT(unlinkat)(in, path, flags);
}

int remove(const char *path) {
  meets_name("unlink", AT_FDCWD, path);
  return NEXT(remove)(path);
}

int rmdir(const char *path) {
  meets_name("unlink", AT_FDCWD, path);
  return NEXT(rmdir)(path);
}

int symlink(const char *target, const char *path) {
  if (meets_name("link", AT_FDCWD, path) == REFUSE) return -1;
  return NEXT(symlink)(target, path);
}

int symlinkat(const char *target, int in, const char *path) {
  if (meets_name("link", in, path) == REFUSE) return -1;
  return NEXT(symlinkat)(target, in, path);
}

int link(const char *from, const char *to) {
  if (meets_name("link", AT_FDCWD, to) == REFUSE) return -1;
  return NEXT(link)(from, to);
}

int linkat(int from_in, const char *from, int to_in, const char *to, int flags) {
  if (meets_name("link", to_in, to) == REFUSE) return -1;
  return NEXT(linkat)(from_in, from, to_in, to, flags);
}

int mkdir(const char *path, mode_t mode) {
  if (meets_name("mkdir", AT_FDCWD, path) == REFUSE) return -1;
  return NEXT(mkdir)(path, mode);
}

int mkdirat(int in, const char *path, mode_t mode) {
  if (meets_name("mkdir", in, path) == REFUSE) return -1;
  return NEXT(mkdirat)(in, path, mode);
}
