/* Stands between a program and the C library, and sees what it does to the files of one folder.
 *
 * Build: cc -shared -fPIC -O1 -o shim.so shim.c -ldl; run the program with LD_PRELOAD=shim.so.
 * Nothing happens until the program itself calls shim_watch. From then on every call of this
 * process that changes a file below the folder is
 *   - written to a log, with its data, so that a power cut can be played after any of them;
 *   - counted, so that the n-th can be made to fail, to write only half, or to kill the process.
 * What is written to a file called `ack` is neither: it is what the user was told.
 *
 * Files are told apart by inode, so that renames are followed. Layout of a record of the log:
 * kind (1 byte), inode, offset, length of data (8 bytes each), lengths of two names (2 bytes
 * each), the names, the data. Kinds: C created, W written, T truncated, F pushed to the disk,
 * D folder pushed to the disk, R renamed, L linked, U unlinked, M folder made, K folder removed,
 * A told to the user, N about to be counted (function, file), X cannot be played.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_FD = 4096 };
enum { PASS, ONCE, ON, SHORT, KILL }; /* what happens at the n-th call */
enum { CHANGES = 1, READS = 2 };      /* which calls are counted */

typedef struct {
    int known, folder, ack;
    uint64_t inode;
    char label[256]; /* its name at the time of opening; for reports */
} File;

static File files[MAX_FD];
static char watched[PATH_MAX];
static size_t watched_length;
static pid_t owner; /* other processes (and vfork, which shares our memory) are none of ours */
static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long fail_at, calls;
static int fail_error, fail_mode, counted = CHANGES;
static char failed[600];

#define REAL(result, name, ...)                                                                    \
    static result (*real)(__VA_ARGS__);                                                            \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static int is_on(void) { return watched_length && owner == getpid(); }

/* -- the log ---------------------------------------------------------------------------------- */

static void push(const void *data, size_t size) {
    static ssize_t (*real_write)(int, const void *, size_t);
    if (!real_write) real_write = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    while (size) {
        ssize_t done = real_write(log_fd, data, size);
        if (done < 0) {
            if (errno == EINTR) continue;
            abort(); /* a log with holes would prove anything */
        }
        data = (const char *)data + done;
        size -= (size_t)done;
    }
}

static void note(char kind, uint64_t inode, int64_t offset, const void *data, uint64_t size,
                 const char *name, const char *other) {
    if (log_fd < 0) return;
    char head[29 + 600];
    uint16_t a = (uint16_t)strnlen(name, 255), b = other ? (uint16_t)strnlen(other, 255) : 0;
    int kept = errno;
    head[0] = kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, &size, 8);
    memcpy(head + 25, &a, 2);
    memcpy(head + 27, &b, 2);
    memcpy(head + 29, name, a);
    if (b) memcpy(head + 29 + a, other, b);
    pthread_mutex_lock(&mutex);
    push(head, 29u + a + b);
    if (size) push(data, size);
    pthread_mutex_unlock(&mutex);
    errno = kept;
}

/* -- which files are ours --------------------------------------------------------------------- */

/* The path below the watched folder ("" for the folder itself), or NULL. */
static const char *below(int folder, const char *path) {
    static __thread char whole[2 * PATH_MAX];
    if (!is_on() || !path) return NULL;
    if (path[0] != '/') {
        char link[64];
        ssize_t size;
        if (folder == AT_FDCWD) {
            if (!getcwd(whole, PATH_MAX)) return NULL;
            size = (ssize_t)strlen(whole);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            if ((size = readlink(link, whole, PATH_MAX - 1)) < 0) return NULL;
        }
        whole[size] = '/';
        strncpy(whole + size + 1, path, PATH_MAX - 1);
        path = whole;
    }
    if (strncmp(path, watched, watched_length)) return NULL;
    if (path[watched_length] == '\0') return path + watched_length;
    return path[watched_length] == '/' ? path + watched_length + 1 : NULL;
}

static File *file_of(int fd) {
    return fd >= 0 && fd < MAX_FD && files[fd].known && is_on() ? &files[fd] : NULL;
}

static void opened(int fd, const char *path, int created, int truncated) {
    if (fd < 0 || fd >= MAX_FD || !is_on()) return;
    File *file = &files[fd];
    file->known = 0;
    if (!path) return;
    struct stat status;
    if (fstat(fd, &status)) return;
    file->known = 1;
    file->folder = S_ISDIR(status.st_mode);
    file->ack = !strcmp(path, "ack");
    file->inode = status.st_ino;
    snprintf(file->label, sizeof file->label, "%s", path);
    if (file->ack || file->folder) return;
    if (created) note('C', file->inode, 0, NULL, 0, path, NULL);
    if (truncated && !created) note('T', file->inode, 0, NULL, 0, path, NULL);
}

/* -- the n-th call ---------------------------------------------------------------------------- */

/* Count a call; true when it is to fail, with errno set. `half`: it may write half instead. */
static int fails(const char *function, const char *name, int kind, int *half) {
    if (!(kind & counted) || !strcmp(name, "ack")) return 0;
    pthread_mutex_lock(&mutex);
    long n = ++calls;
    pthread_mutex_unlock(&mutex);
    note('N', 0, n, NULL, 0, function, name);
    if (!fail_at || n < fail_at || fail_mode == PASS) return 0;
    if (n > fail_at && fail_mode != ON) return 0;
    if (n == fail_at) snprintf(failed, sizeof failed, "%s %s", function, name);
    if (fail_mode == KILL) kill(getpid(), SIGKILL);
    if (fail_mode == SHORT) {
        if (half) *half = 1;
        return 0;
    }
    errno = fail_error;
    return 1;
}

/* -- what the program under test calls -------------------------------------------------------- */

/* Watch a folder (absolute, no links in it) from now on; the log may be NULL. */
int shim_watch(const char *folder, const char *log) {
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    watched_length = 0;
    memset(files, 0, sizeof files);
    calls = 0;
    failed[0] = '\0';
    owner = getpid();
    log_fd = log ? real_open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (log && log_fd < 0) return -1;
    snprintf(watched, sizeof watched, "%s", folder);
    watched_length = strlen(watched);
    return 0;
}

/* Let the n-th counted call (n from 1) fail: see the enums. */
void shim_fail(long at, int error, int mode, int which) {
    calls = 0;
    failed[0] = '\0';
    fail_error = error;
    fail_mode = mode;
    counted = which;
    fail_at = at;
}

long shim_calls(void) { return calls; }

/* What failed, as "function file"; "" when the n-th call has not come yet. */
const char *shim_failed(void) { return failed; }

/* -- opening and closing ---------------------------------------------------------------------- */

static int before_open(const char *function, int folder, const char *path, int flags, int *is_new) {
    const char *name = below(folder, path);
    *is_new = name && (flags & O_CREAT) && faccessat(folder, path, F_OK, 0);
    if (!name) return 0;
    int changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    return fails(function, name, changes ? CHANGES : READS, NULL);
}

#define MODE_OF(flags)                                                                             \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        REAL(int, name, const char *, int, ...);                                                   \
        MODE_OF(flags)                                                                             \
        int is_new;                                                                                \
        if (before_open(#name, AT_FDCWD, path, flags, &is_new)) return -1;                         \
        int fd = real(path, flags, mode);                                                          \
        opened(fd, below(AT_FDCWD, path), is_new, flags & O_TRUNC);                                \
        return fd;                                                                                 \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    int name(int folder, const char *path, int flags, ...) {                                       \
        REAL(int, name, int, const char *, int, ...);                                              \
        MODE_OF(flags)                                                                             \
        int is_new;                                                                                \
        if (before_open(#name, folder, path, flags, &is_new)) return -1;                           \
        int fd = real(folder, path, flags, mode);                                                  \
        opened(fd, below(folder, path), is_new, flags & O_TRUNC);                                  \
        return fd;                                                                                 \
    }
OPENAT(openat)
OPENAT(openat64)

#define CREAT(name)                                                                                \
    int name(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
CREAT(creat)
CREAT(creat64)

int close(int fd) {
    REAL(int, close, int);
    if (fd >= 0 && fd < MAX_FD && is_on()) files[fd].known = 0;
    return real(fd);
}

static int copied(int from, int to) {
    if (from >= 0 && from < MAX_FD && to >= 0 && to < MAX_FD && is_on()) files[to] = files[from];
    return to;
}

int dup(int fd) {
    REAL(int, dup, int);
    return copied(fd, real(fd));
}

int dup2(int fd, int to) {
    REAL(int, dup2, int, int);
    return copied(fd, real(fd, to));
}

int dup3(int fd, int to, int flags) {
    REAL(int, dup3, int, int, int);
    return copied(fd, real(fd, to, flags));
}

/* -- writing ---------------------------------------------------------------------------------- */

static void wrote(File *file, int64_t offset, const void *data, ssize_t size) {
    if (size > 0) note(file->ack ? 'A' : 'W', file->inode, offset, data, (uint64_t)size, file->label, NULL);
}

/* Where the next plain write goes. */
static int64_t position(int fd) {
    struct stat status;
    if (fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &status)) return status.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    File *file = file_of(fd);
    if (!file) return real(fd, data, size);
    int half = 0;
    if (fails("write", file->label, CHANGES, &half)) return -1;
    int64_t offset = position(fd);
    ssize_t done = real(fd, data, half ? size / 2 : size);
    wrote(file, offset, data, done);
    return done;
}

#define PWRITE(name, offset_type)                                                                  \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) {                      \
        REAL(ssize_t, name, int, const void *, size_t, offset_type);                               \
        File *file = file_of(fd);                                                                  \
        if (!file) return real(fd, data, size, offset);                                            \
        int half = 0;                                                                              \
        if (fails(#name, file->label, CHANGES, &half)) return -1;                                   \
        ssize_t done = real(fd, data, half ? size / 2 : size, offset);                             \
        wrote(file, offset, data, done);                                                           \
        return done;                                                                               \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Data that came from elsewhere is read back from where it went. */
static void wrote_unseen(const char *function, int fd, File *file, int64_t offset, ssize_t size) {
    if (size <= 0) return;
    void *data = malloc((size_t)size);
    if (data && pread(fd, data, (size_t)size, offset) == size)
        wrote(file, offset, data, size);
    else
        note('X', file->inode, 0, NULL, 0, file->label, function);
    free(data);
}

/* Piece by piece: each is a write of its own, to the log and to the count. */
static ssize_t scattered(int fd, const struct iovec *parts, int count, int64_t offset, int moves) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = moves ? write(fd, parts[i].iov_base, parts[i].iov_len)
                             : pwrite(fd, parts[i].iov_base, parts[i].iov_len, offset + total);
        if (done < 0) return total ? total : -1;
        total += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return total;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    return file_of(fd) ? scattered(fd, parts, count, 0, 1) : real(fd, parts, count);
}

#define PWRITEV(name, offset_type)                                                                 \
    ssize_t name(int fd, const struct iovec *parts, int count, offset_type offset) {               \
        REAL(ssize_t, name, int, const struct iovec *, int, offset_type);                          \
        return file_of(fd) ? scattered(fd, parts, count, offset, 0) : real(fd, parts, count, offset); \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

ssize_t copy_file_range(int from, off64_t *source, int fd, off64_t *target, size_t size, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    File *file = file_of(fd);
    if (!file) return real(from, source, fd, target, size, flags);
    int half = 0;
    if (fails("copy_file_range", file->label, CHANGES, &half)) return -1;
    int64_t offset = target ? *target : lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(from, source, fd, target, half ? size / 2 : size, flags);
    wrote_unseen("copy_file_range", fd, file, offset, done);
    return done;
}

#define SENDFILE(name, offset_type)                                                                \
    ssize_t name(int fd, int from, offset_type *source, size_t size) {                             \
        REAL(ssize_t, name, int, int, offset_type *, size_t);                                      \
        File *file = file_of(fd);                                                                  \
        if (!file) return real(fd, from, source, size);                                            \
        int half = 0;                                                                              \
        if (fails(#name, file->label, CHANGES, &half)) return -1;                                   \
        int64_t offset = position(fd);                                                             \
        ssize_t done = real(fd, from, source, half ? size / 2 : size);                             \
        wrote_unseen(#name, fd, file, offset, done);                                               \
        return done;                                                                               \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

#define TRUNCATE(name, offset_type)                                                                \
    int name(int fd, offset_type size) {                                                           \
        REAL(int, name, int, offset_type);                                                         \
        File *file = file_of(fd);                                                                  \
        if (file && fails(#name, file->label, CHANGES, NULL)) return -1;                            \
        int result = real(fd, size);                                                               \
        if (file && !result) note('T', file->inode, size, NULL, 0, file->label, NULL);              \
        return result;                                                                             \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

/* Room asked for beforehand makes a file longer: zeros, as far as a replay can see. */
static void lengthened(int fd, File *file, int64_t end) {
    struct stat status;
    if (!fstat(fd, &status) && status.st_size == end)
        note('T', file->inode, end, NULL, 0, file->label, NULL);
}

int posix_fallocate(int fd, off_t offset, off_t size) {
    REAL(int, posix_fallocate, int, off_t, off_t);
    File *file = file_of(fd);
    if (file && fails("posix_fallocate", file->label, CHANGES, NULL)) return fail_error;
    int result = real(fd, offset, size);
    if (file && !result) lengthened(fd, file, offset + size);
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
    REAL(int, fallocate, int, int, off_t, off_t);
    File *file = file_of(fd);
    if (file && fails("fallocate", file->label, CHANGES, NULL)) return -1;
    int result = real(fd, mode, offset, size);
    if (file && !result && mode) note('X', file->inode, 0, NULL, 0, file->label, "fallocate");
    if (file && !result) lengthened(fd, file, offset + size);
    return result;
}

#define MMAP(name, offset_type)                                                                    \
    void *name(void *at, size_t size, int access, int flags, int fd, offset_type offset) {         \
        REAL(void *, name, void *, size_t, int, int, int, offset_type);                            \
        File *file = flags & MAP_ANONYMOUS ? NULL : file_of(fd);                                   \
        if (file && (flags & MAP_SHARED) && (access & PROT_WRITE))                                 \
            note('X', file->inode, 0, NULL, 0, file->label, #name);                                 \
        return real(at, size, access, flags, fd, offset);                                          \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

/* -- pushing to the disk ---------------------------------------------------------------------- */

#define SYNC(name)                                                                                 \
    int name(int fd) {                                                                             \
        REAL(int, name, int);                                                                      \
        File *file = file_of(fd);                                                                  \
        if (!file || file->ack) return real(fd);                                                   \
        if (fails(#name, file->label, CHANGES, NULL)) return -1;                                    \
        /* The medium is not what is tested: the replay decides what has reached it. */            \
        note(file->folder ? 'D' : 'F', file->inode, 0, NULL, 0, file->label, NULL);                 \
        return 0;                                                                                  \
    }
SYNC(fsync)
SYNC(fdatasync)

/* -- names ------------------------------------------------------------------------------------ */

static int named(const char *function, char kind, int from_folder, const char *from, int to_folder,
                 const char *to, int (*act)(int, const char *, int, const char *, int), int flags) {
    char first[PATH_MAX] = "", second[PATH_MAX] = "";
    const char *name = below(from_folder, from);
    int ours = name != NULL;
    if (name) snprintf(first, sizeof first, "%s", name);
    name = to ? below(to_folder, to) : NULL;
    int other_ours = name != NULL;
    if (name) snprintf(second, sizeof second, "%s", name);
    if ((ours || other_ours) && fails(function, ours ? first : second, CHANGES, NULL)) return -1;
    int result = act(from_folder, from, to_folder, to, flags);
    if (result || (!ours && !other_ours)) return result;
    if (to && ours != other_ours)
        note('X', 0, 0, NULL, 0, first, function); /* in or out of the folder: not played */
    else
        note(kind, 0, 0, NULL, 0, first, to ? second : NULL);
    return result;
}

static int do_rename(int a, const char *from, int b, const char *to, int flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    return real(a, from, b, to, (unsigned)flags);
}

int rename(const char *from, const char *to) {
    return named("rename", 'R', AT_FDCWD, from, AT_FDCWD, to, do_rename, 0);
}

int renameat(int a, const char *from, int b, const char *to) {
    return named("renameat", 'R', a, from, b, to, do_rename, 0);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return named("renameat2", flags & RENAME_EXCHANGE ? 'X' : 'R', a, from, b, to, do_rename, (int)flags);
}

static int do_link(int a, const char *from, int b, const char *to, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    return real(a, from, b, to, flags);
}

int link(const char *from, const char *to) {
    return named("link", 'L', AT_FDCWD, from, AT_FDCWD, to, do_link, 0);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    return named("linkat", 'L', a, from, b, to, do_link, flags);
}

static int do_unlink(int a, const char *path, int b, const char *to, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    (void)b;
    (void)to;
    return real(a, path, flags);
}

int unlink(const char *path) {
    return named("unlink", 'U', AT_FDCWD, path, 0, NULL, do_unlink, 0);
}

int unlinkat(int folder, const char *path, int flags) {
    return named("unlinkat", flags & AT_REMOVEDIR ? 'K' : 'U', folder, path, 0, NULL, do_unlink, flags);
}

int rmdir(const char *path) {
    return named("rmdir", 'K', AT_FDCWD, path, 0, NULL, do_unlink, AT_REMOVEDIR);
}

static int do_mkdir(int a, const char *path, int b, const char *to, int mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    (void)b;
    (void)to;
    return real(a, path, (mode_t)mode);
}

int mkdir(const char *path, mode_t mode) {
    return named("mkdir", 'M', AT_FDCWD, path, 0, NULL, do_mkdir, (int)mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    return named("mkdirat", 'M', folder, path, 0, NULL, do_mkdir, (int)mode);
}

/* -- reading: nothing to log, but a disk may refuse that too ---------------------------------- */

ssize_t read(int fd, void *data, size_t size) {
    REAL(ssize_t, read, int, void *, size_t);
    File *file = file_of(fd);
    if (file && fails("read", file->label, READS, NULL)) return -1;
    return real(fd, data, size);
}

#define PREAD(name, offset_type)                                                                   \
    ssize_t name(int fd, void *data, size_t size, offset_type offset) {                            \
        REAL(ssize_t, name, int, void *, size_t, offset_type);                                     \
        File *file = file_of(fd);                                                                  \
        if (file && fails(#name, file->label, READS, NULL)) return -1;                              \
        return real(fd, data, size, offset);                                                       \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)
