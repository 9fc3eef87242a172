// SPDX-License-Identifier: Apache-2.0
/*
 * The little that vmdock-runtime needs and GLib would give elsewhere: owned locals, sentences,
 * whole files. Every container verb pays for the start of this program, so it links libc and
 * jansson alone.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void plain_free(void *place)
{
    free(*(void **)place);
}

static inline void plain_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void plain_decref(json_t **json)
{
    json_decref(*json);
}

/* A local that frees, closes or releases itself at the end of its block; NULL or -1 is "none". */
#define autofree __attribute__((cleanup(plain_free)))
#define autofd   __attribute__((cleanup(plain_close)))
#define autojson __attribute__((cleanup(plain_decref)))

/* Sets *ERROR to one sentence without a full stop, in place of an earlier one; always false. */
bool plain_fail(char **error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts a noun in front of the sentence in *ERROR; always false. */
bool plain_prefix(char **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* New memory of SIZE bytes, and printf into new memory; they end the program when none is left. */
void *plain_memory(size_t size) __attribute__((returns_nonnull));
char *plain_print(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

typedef enum { PLAIN_READ, PLAIN_MISSING, PLAIN_FAILED } PlainResult;

/* Whom a file is taken from: who can write it decides what runs as root. */
typedef enum {
    PLAIN_OWN,    /* the caller's own user alone can write it; no symbolic link */
    PLAIN_LINKED, /* the same, but a link may lead there */
    PLAIN_ANY,    /* any regular file: the engine answers for it */
} PlainTrust;

/* The whole of PATH, at most MAX bytes, with a NUL behind it. STATUS may be NULL. */
PlainResult plain_read(const char *path, size_t max, PlainTrust trust, char **text, size_t *length,
                       struct stat *status, char **error);

/*
 * Writes beside, gives it the owner and mode of LIKE, fsyncs, renames over FOLDER/NAME: a reader
 * sees the old text or the new one, whole.
 */
bool plain_replace(const char *folder, const char *name, const char *text, size_t length,
                   const struct stat *like, char **error);

/* Makes PATH and its parents (0755), the last one with MODE; fine if it is there. */
bool plain_make_folder(const char *path, mode_t mode, char **error);
