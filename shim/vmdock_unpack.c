// SPDX-License-Identifier: Apache-2.0
/*
 * vmdock-unpack MAX_BYTES MAX_FILES: reads a context image on stdin and writes what it holds as a
 * tar archive on stdout. Whoever writes in a datastore makes such images; so the library that reads
 * them works here, in a process that is nobody, can open and start nothing, and has little memory
 * and time, and not in one that is root.
 *
 * On stderr: the sentence of a failure, or what was left out. vmdock starts it; it is no command.
 */
#include "driver/context_image.h"
#include "driver/error.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NOBODY = 65534, CPU_S = 30 };

static gboolean limit(int resource, guint64 most)
{
    const struct rlimit limits = {most, most};
    return setrlimit((__rlimit_resource_t)resource, &limits) == 0;
}

/* Sanitizers take memory and threads of their own. */
static gboolean limit_all(const ContextLimits *limits)
{
#ifndef __SANITIZE_ADDRESS__
    /* An archive and its content stand in memory at once, and grow by doubling. */
    if (!limit(RLIMIT_AS, 8 * context_image_archive_bytes(limits) + (guint64)256 * 1024 * 1024) ||
        !limit(RLIMIT_NPROC, 0) || !limit(RLIMIT_NOFILE, 3))
        return FALSE;
#endif
    return limit(RLIMIT_FSIZE, context_image_archive_bytes(limits)) && limit(RLIMIT_CPU, CPU_S) &&
           limit(RLIMIT_CORE, 0);
}

/* Started by an ordinary user, as in a test, there is nothing to give up. */
static gboolean become_nobody(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return FALSE;
    return geteuid() != 0 || (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
                              setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static gboolean write_all(const GByteArray *bytes, GError **error)
{
    for (gsize at = 0; at < bytes->len;) {
        ssize_t n = write(STDOUT_FILENO, bytes->data + at, bytes->len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            vmdock_error_errno(error, VMDOCK_ERROR_IO, errno, "cannot write the archive");
            return FALSE;
        }
        at += (gsize)n;
    }
    return TRUE;
}

static gboolean unpack(int argc, char **argv, GError **error)
{
    ContextLimits limits;
    guint left_out = 0;
    if (argc != 3 ||
        !g_ascii_string_to_unsigned(argv[1], 10, 1, G_MAXUINT32 / 4, &limits.max_bytes, NULL) ||
        !g_ascii_string_to_unsigned(argv[2], 10, 1, 1000000, &limits.max_files, NULL)) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_USAGE,
                            "usage: vmdock-unpack MAX_BYTES MAX_FILES");
        return FALSE;
    }
    if (!limit_all(&limits) || !become_nobody()) {
        vmdock_error_errno(error, VMDOCK_ERROR_INTERNAL, errno, "cannot give up its rights");
        return FALSE;
    }
    g_autoptr(GByteArray) archive = context_image_read(STDIN_FILENO, &limits, &left_out, error);
    if (!archive || !write_all(archive, error))
        return FALSE;
    if (left_out > 0)
        g_printerr("%u links, devices or names in it are not taken\n", left_out);
    return TRUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (unpack(argc, argv, &error))
        return 0;
    g_printerr("%s\n", error->message);
    return vmdock_error_status(error);
}
