/* Stands before libc: the process dies at its n-th call that changes the disk (half of a torn write done). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

static long left = -1;
static int torn = 0;

void arm(long calls, int tear) { left = calls; torn = tear; }
long remaining(void) { return left; }

static int dies(void) { return left >= 0 && left-- == 0; }
static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*write_at)(int, const void *, size_t, off_t);
typedef int (*on_fd)(int);
typedef int (*cut)(int, off_t);
typedef int (*on_path)(const char *);

#define WRITE(name) \
  ssize_t name(int fd, const void *data, size_t size, off_t at) { \
    REAL(#name, write_at); \
    if (dies()) { if (torn) real(fd, data, size / 2, at); die(); } \
    return real(fd, data, size, at); }
WRITE(pwrite)
WRITE(pwrite64)

#define ON_FD(name) int name(int fd) { REAL(#name, on_fd); if (dies()) die(); return real(fd); }
ON_FD(fsync)
ON_FD(fdatasync)

#define CUT(name) int name(int fd, off_t size) { REAL(#name, cut); if (dies()) die(); return real(fd, size); }
CUT(ftruncate)
CUT(ftruncate64)

int unlink(const char *path) { REAL("unlink", on_path); if (dies()) die(); return real(path); }
