// SPDX-License-Identifier: Apache-2.0
/*
 * timer COMMAND [ARG…]: runs the command with its output thrown away and prints one line:
 *   wall time, user CPU, system CPU (microseconds), peak memory (KiB), exit status
 * CPU and memory are the command's own and that of children it waited for, not the engine's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long micros_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static long long micros(const struct timeval *time)
{
    return time->tv_sec * 1000000LL + time->tv_usec;
}

static int start(char **argv, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    int failure = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: timer COMMAND [ARG…]\n", stderr);
        return 2;
    }
    pid_t pid;
    int status;
    struct rusage usage;
    long long begin = micros_now();
    int failure = start(argv + 1, &pid);
    if (failure) {
        fprintf(stderr, "timer: %s: %s\n", argv[1], strerror(failure));
        return 127;
    }
    if (wait4(pid, &status, 0, &usage) < 0) {
        perror("timer: wait4");
        return 1;
    }
    long long wall = micros_now() - begin;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    printf("%lld %lld %lld %ld %d\n", wall, micros(&usage.ru_utime), micros(&usage.ru_stime),
           usage.ru_maxrss, code);
    return code;
}
