// SPDX-License-Identifier: Apache-2.0
#include "account.h"

#include <crypt.h>
#include <string.h>

enum {
    MAX_NAME = 32,
    MAX_HOME = 1024,
    FIRST_ID = 1000,
    LAST_ID = 59999,
    PASSWD_FIELDS = 7,
    GROUP_FIELDS = 3,
};

void account_free(Account *account)
{
    if (!account)
        return;
    g_free(account->home);
    g_free(account);
}

gboolean account_name_valid(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
    return *name && strchr(first, *name) && strlen(name) <= MAX_NAME &&
           name[strspn(name, rest)] == '\0';
}

static gboolean is_of(const char *line, const char *name)
{
    gsize length = strlen(name);
    return strncmp(line, name, length) == 0 && line[length] == ':';
}

static gboolean home_valid(const char *home)
{
    if (*home != '/' || strlen(home) > MAX_HOME || !g_utf8_validate(home, -1, NULL))
        return FALSE;
    g_auto(GStrv) parts = g_strsplit(home, "/", -1);
    for (guint i = 0; parts[i]; i++)
        if (strcmp(parts[i], "..") == 0 || strcmp(parts[i], ".") == 0)
            return FALSE;
    return TRUE;
}

static gboolean read_id(const char *text, guint *id)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &number, NULL))
        return FALSE;
    *id = (guint)number;
    return TRUE;
}

static Account *read_account(const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, ":", -1);
    g_autoptr(Account) account = g_new0(Account, 1);
    if (g_strv_length(fields) != PASSWD_FIELDS || !read_id(fields[2], &account->uid) ||
        !read_id(fields[3], &account->gid) || !home_valid(fields[5]))
        return NULL;
    account->home = g_strdup(fields[5]);
    return g_steal_pointer(&account);
}

Account *account_find(const char *passwd, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(passwd, "\n", -1);
    for (char **line = lines; *line; line++)
        if (is_of(*line, name))
            return read_account(*line);
    return NULL;
}

static void add_ids(GHashTable *taken, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ":", -1);
        guint id;
        if (g_strv_length(fields) >= GROUP_FIELDS && read_id(fields[2], &id))
            g_hash_table_add(taken, GUINT_TO_POINTER(id));
    }
}

guint account_free_id(const char *passwd, const char *group)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(NULL, NULL);
    add_ids(taken, passwd);
    add_ids(taken, group);
    for (guint id = FIRST_ID; id <= LAST_ID; id++)
        if (!g_hash_table_contains(taken, GUINT_TO_POINTER(id)))
            return id;
    return 0;
}

gchar *account_append(const char *text, const char *line)
{
    gboolean open = *text && !g_str_has_suffix(text, "\n");
    return g_strconcat(text, open ? "\n" : "", line, "\n", NULL);
}

PasswordState account_password_state(const char *shadow, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(shadow, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (!is_of(*line, name))
            continue;
        const char *field = *line + strlen(name) + 1;
        return *field == '*' || *field == '!' ? PASSWORD_LOCKED : PASSWORD_OPEN;
    }
    return PASSWORD_NONE;
}

static gchar *with_password(const char *line, const char *hash, gint64 day)
{
    g_auto(GStrv) fields = g_strsplit(line, ":", -1);
    guint count = g_strv_length(fields);
    g_autoptr(GString) text = g_string_new(fields[0]);
    g_string_append_printf(text, ":%s:%" G_GINT64_FORMAT, hash, day);
    for (guint i = 3; i < count; i++)
        g_string_append_printf(text, ":%s", fields[i]);
    /* A line that was cut short gets its nine fields. */
    for (guint i = MAX(count, 3); i < 9; i++)
        g_string_append_c(text, ':');
    return g_string_free(g_steal_pointer(&text), FALSE);
}

gchar *account_set_password(const char *shadow, const char *name, const char *hash, gint64 day)
{
    g_auto(GStrv) lines = g_strsplit(shadow, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (!is_of(*line, name))
            continue;
        gchar *changed = with_password(*line, hash, day);
        g_free(*line);
        *line = changed;
        return g_strjoinv("\n", lines);
    }
    g_autofree gchar *added =
        g_strdup_printf("%s:%s:%" G_GINT64_FORMAT ":0:99999:7:::", name, hash, day);
    return account_append(shadow, added);
}

gboolean account_hash_valid(const char *hash)
{
    if (*hash == '\0' || strlen(hash) > CRYPT_OUTPUT_SIZE)
        return FALSE;
    for (const char *p = hash; *p; p++)
        if (!g_ascii_isgraph(*p) || *p == ':')
            return FALSE;
    return TRUE;
}

gchar *account_hash(const char *password)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    g_autofree struct crypt_data *data = g_new0(struct crypt_data, 1);
    /* Understood by every system's login since long; the salt is the kernel's. */
    if (!crypt_gensalt_rn("$6$", 0, NULL, 0, setting, sizeof setting))
        return NULL;
    const char *hash = crypt_rn(password, setting, data, sizeof *data);
    gchar *copy = hash ? g_strdup(hash) : NULL;
    explicit_bzero(data, sizeof *data);
    return copy;
}

static gboolean has_line(const char *text, const char *line)
{
    gsize length = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at += length)
        if ((at == text || at[-1] == '\n') && (at[length] == '\n' || at[length] == '\0'))
            return TRUE;
    return FALSE;
}

gchar *account_add_keys(const char *authorized, const GStrv keys)
{
    gchar *text = g_strdup(authorized ? authorized : "");
    for (char **key = keys; key && *key; key++) {
        if (has_line(text, *key))
            continue;
        gchar *longer = account_append(text, *key);
        g_free(text);
        text = longer;
    }
    return text;
}
