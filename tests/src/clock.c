/* A system clock that is off by as many seconds as a file says, for a program that is started with this before its libraries
   (LD_PRELOAD). It asks for no memory: the program's allocator asks for the time while it starts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long offset(void) {
    char text[32] = {0};
    const char *path = getenv("CLOCK_OFFSET_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *shown) {
    int result = (int)syscall(SYS_clock_gettime, clock, shown);
    if (result == 0 && clock == CLOCK_REALTIME) shown->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict shown, void *restrict zone) {
    int result = (int)syscall(SYS_gettimeofday, shown, zone);
    if (result == 0) shown->tv_sec += offset();
    return result;
}

time_t time(time_t *place) {
    struct timespec shown = {0};
    clock_gettime(CLOCK_REALTIME, &shown);
    if (place) *place = shown.tv_sec;
    return shown.tv_sec;
}
