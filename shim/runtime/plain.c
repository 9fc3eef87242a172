// SPDX-License-Identifier: Apache-2.0
#include "plain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *plain_memory(size_t size)
{
    void *memory = malloc(size);
    if (!memory)
        abort();
    return memory;
}

__attribute__((format(printf, 1, 0))) static char *print_list(const char *format, va_list args)
{
    char *text;
    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

char *plain_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = print_list(format, args);
    va_end(args);
    return text;
}

bool plain_fail(char **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = print_list(format, args);
    va_end(args);
    free(*error);
    *error = text;
    return false;
}

bool plain_prefix(char **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    autofree char *noun = print_list(format, args);
    va_end(args);
    autofree char *fact = *error;
    *error = plain_print("%s: %s", noun, fact);
    return false;
}

static bool read_all(int fd, char *text, size_t max, size_t *length)
{
    *length = 0;
    while (*length < max) {
        ssize_t n = read(fd, text + *length, max - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *length += (size_t)n;
    }
    text[*length] = '\0';
    return true;
}

static bool trusted(const char *path, PlainTrust trust, const struct stat *status, char **error)
{
    if (!S_ISREG(status->st_mode))
        return plain_fail(error, "%s is not a regular file", path);
    if (trust == PLAIN_ANY)
        return true;
    if (status->st_uid != geteuid())
        return plain_fail(error, "%s belongs to user %u, not to user %u", path, status->st_uid,
                          geteuid());
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return plain_fail(error, "%s can be written by others (mode %04o)", path,
                          status->st_mode & 07777);
    return true;
}

PlainResult plain_read(const char *path, size_t max, PlainTrust trust, char **text, size_t *length,
                       struct stat *status, char **error)
{
    /* O_NONBLOCK: a FIFO in the place of the file must not hold the engine up. */
    int flags =
        O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (trust == PLAIN_OWN ? O_NOFOLLOW : 0);
    autofd int fd = open(path, flags);
    struct stat own;
    if (!status)
        status = &own;
    if (fd < 0 && errno == ENOENT)
        return PLAIN_MISSING;
    if (fd < 0 || fstat(fd, status) < 0) {
        plain_fail(error, "cannot read %s: %s", path, strerror(errno));
        return PLAIN_FAILED;
    }
    if (!trusted(path, trust, status, error))
        return PLAIN_FAILED;
    if (status->st_size < 0 || (size_t)status->st_size > max) {
        plain_fail(error, "%s is larger than %zu bytes", path, max);
        return PLAIN_FAILED;
    }
    autofree char *whole = plain_memory((size_t)status->st_size + 1);
    if (!read_all(fd, whole, (size_t)status->st_size, length)) {
        plain_fail(error, "cannot read %s: %s", path, strerror(errno));
        return PLAIN_FAILED;
    }
    *text = whole;
    whole = NULL;
    return PLAIN_READ;
}

static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

bool plain_replace(const char *folder, const char *name, const char *text, size_t length,
                   const struct stat *like, char **error)
{
    autofree char *path = plain_print("%s/%s", folder, name);
    /* Named as in file_replace(): sandbox_map_remove() finds what a kill leaves by it. */
    autofree char *beside = plain_print("%s/%s.draft-XXXXXX", folder, name);
    autofd int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return plain_fail(error, "cannot write %s: %s", path, strerror(errno));
    if (fchown(fd, like->st_uid, like->st_gid) == 0 && fchmod(fd, like->st_mode & 07777) == 0 &&
        write_all(fd, text, length) && fsync(fd) == 0 && rename(beside, path) == 0)
        return true;
    plain_fail(error, "cannot write %s: %s", path, strerror(errno));
    unlink(beside);
    return false;
}

bool plain_make_folder(const char *path, mode_t mode, char **error)
{
    autofree char *part = plain_print("%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return plain_fail(error, "cannot make the folder %s: %s", part, strerror(errno));
        *slash = '/';
    }
    if (mkdir(part, mode) == 0 || errno == EEXIST)
        return true;
    return plain_fail(error, "cannot make the folder %s: %s", path, strerror(errno));
}
