/* Fails one system call on a path below a folder: the n-th of its kind, with a given errno. Or, when
 * the kind is DENY, all that need a writable disk (EROFS) or more space (ENOSPC).
 *
 * Preloaded into a process (LD_PRELOAD) it only counts until `fault_arm` is called through ctypes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, SYNC, STAT, LIST, RENAME, LINK, UNLINK, MKDIR, LOCK, TRUNCATE, CLOSE, KINDS };
#define DENY KINDS

static char folder[4096];
static size_t length;
static int kind = -1, number, code;
static atomic_int counted[KINDS];
static char hit[8192];

void fault_arm(const char *below, int which, int nth, int error)
{
    snprintf(folder, sizeof folder, "%s/", below);
    length = strlen(folder);
    for (int i = 0; i < KINDS; i++) atomic_store(&counted[i], 0);
    kind = which, number = nth, code = error, hit[0] = 0;
}
int fault_count(int which) { return atomic_load(&counted[which]); }
const char *fault_hit(void) { return hit; }

static int below(const char *path)
{
    size_t n = strlen(path);
    return length && (strncmp(path, folder, length) == 0 ||
                      (n == length - 1 && strncmp(path, folder, n) == 0));
}
static int fails_path(int which, const char *call, const char *path)
{
    if (!path || !below(path)) return 0;
    int nth = atomic_fetch_add(&counted[which], 1) + 1;
    int writes = which == WRITE || which == RENAME || which == LINK || which == MKDIR ||
                 which == TRUNCATE || (which == UNLINK && code == EROFS);
    if (kind == DENY ? !writes : (which != kind || nth != number)) return 0;
    snprintf(hit, sizeof hit, "%s %s: %s", call, path, strerror(code));
    errno = code;
    return 1;
}
static int fails_at(int which, const char *call, int at, const char *path)
{
    char full[8192], base[64], at_path[4096];
    if (!length || !path) return 0;
    if (path[0] == '/' || at == AT_FDCWD) return fails_path(which, call, path);
    snprintf(base, sizeof base, "/proc/self/fd/%d", at);
    ssize_t n = readlink(base, at_path, sizeof at_path - 1);
    if (n < 0) return 0;
    at_path[n] = 0;
    if (path[0]) snprintf(full, sizeof full, "%s/%s", at_path, path);
    else snprintf(full, sizeof full, "%s", at_path);
    return fails_path(which, call, full);
}
static int denied(const char *path, int flags)
{
    int changes = code == EROFS ? flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)
                                : flags & O_CREAT && access(path, F_OK);
    if (kind != DENY || !path || !below(path) || !changes) return 0;
    snprintf(hit, sizeof hit, "open %s: %s", path, strerror(code));
    errno = code;
    return 1;
}
static int fails(int which, const char *call, int fd)
{
    int saved = errno, found = length ? fails_at(which, call, fd, "") : 0;
    if (!found) errno = saved;
    return found;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define MODE mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); }
#define OPENS(name) int name(const char *path, int flags, ...) { MODE \
    REAL(int, #name, const char *, int, ...); return denied(path, flags) || fails_path(OPEN, #name, path) ? -1 : real(path, flags, mode); }
#define OPENS_AT(name) int name(int at, const char *path, int flags, ...) { MODE \
    REAL(int, #name, int, const char *, int, ...); return fails_at(OPEN, #name, at, path) ? -1 : real(at, path, flags, mode); }
#define ON_FD(which, type, name, args, pass, ...) type name args { \
    REAL(type, #name, __VA_ARGS__); return fails(which, #name, fd) ? -1 : real pass; }
#define ON_PATH(which, name, args, pass, ...) int name args { \
    REAL(int, #name, __VA_ARGS__); return fails_path(which, #name, path) ? -1 : real pass; }
#define ON_AT(which, name, args, pass, ...) int name args { \
    REAL(int, #name, __VA_ARGS__); return fails_at(which, #name, at, path) ? -1 : real pass; }

OPENS(open) OPENS(open64) OPENS_AT(openat) OPENS_AT(openat64)
ON_FD(READ, ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), int, void *, size_t)
ON_FD(READ, ssize_t, pread, (int fd, void *b, size_t n, off_t o), (fd, b, n, o), int, void *, size_t, off_t)
ON_FD(READ, ssize_t, pread64, (int fd, void *b, size_t n, off64_t o), (fd, b, n, o), int, void *, size_t, off64_t)
ON_FD(WRITE, ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), int, const void *, size_t)
ON_FD(WRITE, ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o), int, const void *, size_t, off_t)
ON_FD(WRITE, ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o), int, const void *, size_t, off64_t)
ON_FD(SYNC, int, fsync, (int fd), (fd), int)
ON_FD(SYNC, int, fdatasync, (int fd), (fd), int)
ON_FD(LOCK, int, flock, (int fd, int op), (fd, op), int, int)
ON_FD(TRUNCATE, int, ftruncate, (int fd, off_t n), (fd, n), int, off_t)
ON_FD(TRUNCATE, int, ftruncate64, (int fd, off64_t n), (fd, n), int, off64_t)
ON_FD(STAT, int, fstat, (int fd, struct stat *s), (fd, s), int, struct stat *)
ON_FD(STAT, int, fstat64, (int fd, struct stat64 *s), (fd, s), int, struct stat64 *)
ON_PATH(STAT, stat, (const char *path, struct stat *s), (path, s), const char *, struct stat *)
ON_PATH(STAT, stat64, (const char *path, struct stat64 *s), (path, s), const char *, struct stat64 *)
ON_PATH(STAT, lstat, (const char *path, struct stat *s), (path, s), const char *, struct stat *)
ON_PATH(STAT, lstat64, (const char *path, struct stat64 *s), (path, s), const char *, struct stat64 *)
ON_AT(STAT, fstatat, (int at, const char *path, struct stat *s, int f), (at, path, s, f), int, const char *, struct stat *, int)
ON_AT(STAT, fstatat64, (int at, const char *path, struct stat64 *s, int f), (at, path, s, f), int, const char *, struct stat64 *, int)
ON_AT(STAT, statx, (int at, const char *path, int f, unsigned m, struct statx *s), (at, path, f, m, s), int, const char *, int, unsigned, struct statx *)
ON_PATH(RENAME, rename, (const char *path, const char *to), (path, to), const char *, const char *)
ON_PATH(LINK, link, (const char *path, const char *to), (path, to), const char *, const char *)
ON_PATH(UNLINK, unlink, (const char *path), (path), const char *)
ON_PATH(UNLINK, rmdir, (const char *path), (path), const char *)
ON_AT(UNLINK, unlinkat, (int at, const char *path, int f), (at, path, f), int, const char *, int)
ON_AT(LINK, linkat, (int at, const char *path, int to_at, const char *to, int f), (at, path, to_at, to, f), int, const char *, int, const char *, int)
ON_PATH(MKDIR, mkdir, (const char *path, mode_t m), (path, m), const char *, mode_t)

DIR *opendir(const char *path)
{
    REAL(DIR *, "opendir", const char *);
    return fails_path(LIST, "opendir", path) ? NULL : real(path);
}
struct dirent *readdir(DIR *list)
{
    REAL(struct dirent *, "readdir", DIR *);
    return fails(LIST, "readdir", dirfd(list)) ? NULL : real(list);
}
struct dirent64 *readdir64(DIR *list)
{
    REAL(struct dirent64 *, "readdir64", DIR *);
    return fails(LIST, "readdir64", dirfd(list)) ? NULL : real(list);
}
int close(int fd)
{
    REAL(int, "close", int);
    if (!fails(CLOSE, "close", fd)) return real(fd);
    real(fd);
    errno = code;
    return -1;
}
int fcntl64(int fd, int command, ...)
{
    REAL(int, "fcntl64", int, int, ...);
    va_list a; va_start(a, command); void *argument = va_arg(a, void *); va_end(a);
    if ((command == F_SETLK || command == F_SETLKW || command == F_GETLK) && fails(LOCK, "fcntl64", fd)) return -1;
    return real(fd, command, argument);
}
