// SPDX-License-Identifier: Apache-2.0
/*
 * request SOCKET METHOD PATH BODY [METHOD PATH BODY]…: sends the requests to an engine one after
 * the other over one kept connection and reads each answer whole. The least that any client of the
 * engine has to do; the measure of what vmdock adds. Ends with 1 at the first answer of 400 or
 * more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_ANSWER = 4 << 20 };

static char answer[MAX_ANSWER + 1];
static size_t length;

static int fail(const char *what)
{
    fprintf(stderr, "request: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    return -1;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return fail(path);
    return fd;
}

static int send_request(int fd, const char *method, const char *path, const char *body)
{
    char *text;
    int size = asprintf(&text,
                        "%s %s HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        method, path, strlen(body), body);
    if (size < 0)
        return fail("memory");
    for (ssize_t sent = 0, n; sent < size; sent += n) {
        n = write(fd, text + sent, (size_t)(size - sent));
        if (n < 0) {
            free(text);
            return fail("write");
        }
    }
    free(text);
    return 0;
}

static int more(int fd)
{
    if (length == MAX_ANSWER)
        return fail("the answer is too large");
    ssize_t n = read(fd, answer + length, MAX_ANSWER - length);
    if (n <= 0)
        return fail("read");
    length += (size_t)n;
    answer[length] = '\0';
    return 0;
}

/* The answer is whole: by its length, its last chunk, or because its status has no body. */
static int whole(const char *body)
{
    if (strstr(answer, " 204 ") == answer + 8 || strstr(answer, " 304 ") == answer + 8)
        return 1;
    const char *field = strcasestr(answer, "\r\nContent-Length:");
    if (field && field < body)
        return length - (size_t)(body - answer) >= strtoul(field + 17, NULL, 10);
    return length >= 5 && memcmp(answer + length - 5, "0\r\n\r\n", 5) == 0;
}

static int read_answer(int fd)
{
    length = 0;
    answer[0] = '\0';
    for (;;) {
        const char *end = strstr(answer, "\r\n\r\n");
        if (end && whole(end + 4))
            return atoi(answer + 9);
        if (more(fd) < 0)
            return -1;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc % 3 != 2) {
        fputs("usage: request SOCKET METHOD PATH BODY [METHOD PATH BODY]…\n", stderr);
        return 2;
    }
    int fd = open_socket(argv[1]);
    if (fd < 0)
        return 1;
    for (int i = 2; i < argc; i += 3) {
        errno = 0;
        int status = send_request(fd, argv[i], argv[i + 1], argv[i + 2]) < 0 ? -1 : read_answer(fd);
        if (status < 0 || status >= 400) {
            fprintf(stderr, "request: %s %s: status %d: %s\n", argv[i], argv[i + 1], status,
                    answer);
            return 1;
        }
    }
    close(fd);
    return 0;
}
