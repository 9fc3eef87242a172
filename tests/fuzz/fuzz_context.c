// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest and a datastore can bring: the first byte says what the rest is. 's' a context.sh,
 * 't' a tar archive of the engine, 'a' a passwd, shadow or authorized_keys file, any other byte is
 * an image's first one.
 */
#include "driver/account.h"
#include "driver/context_image.h"
#include "driver/context_sh.h"
#include "driver/error.h"
#include "driver/tar.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is written in the same form, and read again as the same. */
static void try_variables(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) variables = context_sh_parse(text, length, &error);
    if (!variables != (error != NULL))
        abort();
    if (!variables)
        return;
    g_autofree gchar *once = context_sh_format(variables);
    g_autoptr(GPtrArray) again = context_sh_parse(once, strlen(once), NULL);
    g_autofree gchar *twice = again ? context_sh_format(again) : NULL;
    if (g_strcmp0(once, twice) != 0)
        abort();
}

/* Content lies inside the archive, and what is safe stays below a folder. */
static void try_archive(const char *bytes, gsize length)
{
    TarReader reader = {bytes, length, 0};
    g_auto(TarEntry) entry = {0};
    g_autoptr(GError) error = NULL;
    while (tar_next(&reader, &entry, &error)) {
        if (entry.length > length || entry.content < bytes ||
            entry.content + entry.length > bytes + length)
            abort();
        if (tar_path_safe(entry.path) && (*entry.path == '/' || strstr(entry.path, "/../")))
            abort();
    }
    if (error && !vmdock_error_is(error, VMDOCK_ERROR_IO))
        abort();
}

static void try_account(const char *bytes, gsize length)
{
    static gchar *keys[] = {(gchar *)"ssh-rsa K", NULL};
    g_autofree gchar *text = g_strndup(bytes, length);
    g_autoptr(Account) account = account_find(text, "root");
    if (account && (*account->home != '/' || strstr(account->home, "/../")))
        abort();
    g_autofree gchar *shadow = account_set_password(text, "root", "H", 1);
    if (account_password_state(shadow, "root") != PASSWORD_OPEN)
        abort();
    g_autofree gchar *once = account_add_keys(text, keys);
    g_autofree gchar *twice = account_add_keys(once, keys);
    if (strcmp(once, twice) != 0)
        abort();
    account_free_id(text, text);
}

static void try_image(const uint8_t *data, size_t size)
{
    static const ContextLimits limits = {262144, 50};
    guint left_out;
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) tar = context_image_read(fd, &limits, &left_out, &error);
    close(fd);
    if (!tar != (error != NULL))
        abort();
    if (tar && tar->len > context_image_archive_bytes(&limits))
        abort();
    if (tar)
        try_archive((const char *)tar->data, tar->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *rest = (const char *)data + 1;
    if (size == 0)
        return 0;
    if (*data == 's')
        try_variables(rest, size - 1);
    else if (*data == 't')
        try_archive(rest, size - 1);
    else if (*data == 'a')
        try_account(rest, size - 1);
    else
        try_image(data, size);
    return 0;
}
