/* Preloaded before the C library: counts the calls by which a program changes files in one folder,
 * writes them down, and at the n-th of them kills the program, sends it a signal or makes the call
 * fail as a bad disk would.
 *
 * Environment, read when the library is loaded and again by shim_begin():
 *   SHIM_FOLDER   calls on paths below it count
 *   SHIM_LOG      file to which "begin KIND PATH" and "end KIND PATH" are appended
 *   SHIM_AT       number of the call at which it happens, from 1; 0: never
 *   SHIM_SIGNAL   send this signal to the program before that call
 *   SHIM_TEAR     1: if that call is a write, half of it is done before the signal
 *   SHIM_ERRNO    from that call on, every one fails with this error
 *   SHIM_KINDS    letters of the calls that fail: w(rite) f(sync) r(ename) o(pen) ...; all if unset
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX], kinds[64];
static long at, signal_number, tear, error_number;
static int log_fd = -1;
static atomic_long count;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static void word(const char *name, char *into, size_t room) {
    const char *text = getenv(name);
    snprintf(into, room, "%s", text ? text : "");
}

__attribute__((constructor)) void shim_begin(void) {
    const char *log = getenv("SHIM_LOG");
    word("SHIM_FOLDER", folder, sizeof folder);
    word("SHIM_KINDS", kinds, sizeof kinds);
    at = number("SHIM_AT");
    signal_number = number("SHIM_SIGNAL");
    tear = number("SHIM_TEAR");
    error_number = number("SHIM_ERRNO");
    atomic_store(&count, 0);
    if (log && *log)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                              0666);
}

static void note(const char *what, const char *kind, const char *path) {
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%s %s %s\n", what, kind, path);
    if (log_fd >= 0 && size > 0) {
        int kept = errno;
        syscall(SYS_write, log_fd, line, (size_t)size);
        errno = kept;
    }
}

static void path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[size > 0 ? size : 0] = 0;
}

static void path_at(int dir, const char *name, char *path) {
    char base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (dir == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) < 0)
            base[0] = 0;
    } else {
        path_of(dir, base);
    }
    size_t used = strlen(base);
    if (used >= PATH_MAX - 2)
        used = PATH_MAX - 2;
    memcpy(path, base, used);
    snprintf(path + used, PATH_MAX - used, "/%s", name);
}

enum verdict { PASS, GO, FAIL, TORN };

/* What is to become of a call. */
static enum verdict judge(const char *kind, const char *path) {
    if (!folder[0] || strncmp(path, folder, strlen(folder)) != 0)
        return PASS;
    long n = atomic_fetch_add(&count, 1) + 1;
    note("begin", kind, path);
    if (at && n == at && signal_number) {
        if (tear && kind[0] == 'w')
            return TORN;
        kill(getpid(), (int)signal_number);
    }
    if (at && n >= at && error_number && (!kinds[0] || strchr(kinds, kind[0]))) {
        errno = (int)error_number;
        return FAIL;
    }
    return GO;
}

#define REAL(name, type, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
    real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define DO(kind, path, call)                                                                       \
    enum verdict verdict = judge(kind, path);                                                      \
    if (verdict == FAIL)                                                                           \
        return -1;                                                                                 \
    __typeof__(call) made = call;                                                                  \
    if (verdict != PASS && made >= 0)                                                              \
        note("end", kind, path);                                                                   \
    return made

ssize_t write(int fd, const void *data, size_t size) {
    REAL("write", ssize_t, int, const void *, size_t);
    char path[PATH_MAX];
    if (!folder[0])
        return real(fd, data, size);
    path_of(fd, path);
    enum verdict verdict = judge("write", path);
    if (verdict == FAIL)
        return -1;
    if (verdict == TORN) {
        real(fd, data, size / 2);
        kill(getpid(), (int)signal_number);
    }
    ssize_t made = real(fd, data, size);
    if (verdict != PASS && made >= 0)
        note("end", "write", path);
    return made;
}

static ssize_t pwrite_any(const char *name, int fd, const void *data, size_t size, off64_t where) {
    REAL(name, ssize_t, int, const void *, size_t, off64_t);
    char path[PATH_MAX];
    if (!folder[0])
        return real(fd, data, size, where);
    path_of(fd, path);
    enum verdict verdict = judge("write", path);
    if (verdict == FAIL)
        return -1;
    if (verdict == TORN) {
        real(fd, data, size / 2, where);
        kill(getpid(), (int)signal_number);
    }
    ssize_t made = real(fd, data, size, where);
    if (verdict != PASS && made >= 0)
        note("end", "write", path);
    return made;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t where) {
    return pwrite_any("pwrite64", fd, data, size, where);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t where) {
    return pwrite_any("pwrite64", fd, data, size, where);
}

#define ON_FD(name, kind)                                                                          \
    int name(int fd) {                                                                             \
        REAL(#name, int, int);                                                                     \
        char path[PATH_MAX];                                                                       \
        if (!folder[0])                                                                            \
            return real(fd);                                                                       \
        path_of(fd, path);                                                                         \
        DO(kind, path, real(fd));                                                                  \
    }
ON_FD(fsync, "fsync")
ON_FD(fdatasync, "fsync")

int ftruncate(int fd, off_t size) {
    REAL("ftruncate64", int, int, off_t);
    char path[PATH_MAX];
    path_of(fd, path);
    DO("truncate", path, real(fd, size));
}

int ftruncate64(int fd, off64_t size) {
    REAL("ftruncate64", int, int, off64_t);
    char path[PATH_MAX];
    path_of(fd, path);
    DO("truncate", path, real(fd, size));
}

int rename(const char *from, const char *to) {
    REAL("rename", int, const char *, const char *);
    char path[PATH_MAX];
    path_at(AT_FDCWD, to, path);
    DO("rename", path, real(from, to));
}

int renameat(int a, const char *from, int b, const char *to) {
    REAL("renameat", int, int, const char *, int, const char *);
    char path[PATH_MAX];
    path_at(b, to, path);
    DO("rename", path, real(a, from, b, to));
}

int unlink(const char *name) {
    REAL("unlink", int, const char *);
    char path[PATH_MAX];
    path_at(AT_FDCWD, name, path);
    DO("unlink", path, real(name));
}

int unlinkat(int dir, const char *name, int flags) {
    REAL("unlinkat", int, int, const char *, int);
    char path[PATH_MAX];
    path_at(dir, name, path);
    DO("unlink", path, real(dir, name, flags));
}

int rmdir(const char *name) {
    REAL("rmdir", int, const char *);
    char path[PATH_MAX];
    path_at(AT_FDCWD, name, path);
    DO("unlink", path, real(name));
}

int mkdir(const char *name, mode_t mode) {
    REAL("mkdir", int, const char *, mode_t);
    char path[PATH_MAX];
    path_at(AT_FDCWD, name, path);
    DO("mkdir", path, real(name, mode));
}

/* Opening counts where it may make a file. */
static int open_any(int dir, const char *file, int flags, mode_t mode) {
    REAL("openat64", int, int, const char *, int, ...);
    char path[PATH_MAX];
    if (!folder[0] || !(flags & O_CREAT))
        return real(dir, file, flags, mode);
    path_at(dir, file, path);
    DO("open", path, real(dir, file, flags, mode));
}

#define MODE                                                                                       \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode = va_arg(more, mode_t);                                                               \
        va_end(more);                                                                              \
    }

int open(const char *file, int flags, ...) {
    MODE return open_any(AT_FDCWD, file, flags, mode);
}

int open64(const char *file, int flags, ...) {
    MODE return open_any(AT_FDCWD, file, flags, mode);
}

int openat(int dir, const char *file, int flags, ...) {
    MODE return open_any(dir, file, flags, mode);
}

int openat64(int dir, const char *file, int flags, ...) {
    MODE return open_any(dir, file, flags, mode);
}
