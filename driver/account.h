// SPDX-License-Identifier: Apache-2.0
/*
 * The text files by which a Unix system knows its users, edited as text. Pure. What they say comes
 * from an image, so nothing in them is believed.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint uid, gid;
    gchar *home; /* an absolute, plain path */
} Account;

void account_free(Account *account);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Account, account_free)

/* True for a user's name as useradd(8) takes it: [a-z_][a-z0-9_-]*, at most 32 bytes. */
gboolean account_name_valid(const char *name);

/* NAME's line of /etc/passwd; NULL when there is none, or it makes no sense. */
Account *account_find(const char *passwd, const char *name);

/* A number that no line of /etc/passwd or /etc/group (NULL = none) has, from 1000 on; 0 = none. */
guint account_free_id(const char *passwd, const char *group);
/* TEXT with LINE as its last line. */
gchar *account_append(const char *text, const char *line);

typedef enum {
    PASSWORD_NONE,   /* the user has no line: no password is asked for or taken */
    PASSWORD_LOCKED, /* none matches: "*", "!…" */
    PASSWORD_OPEN,   /* an empty one, or a hash that some password matches */
} PasswordState;

PasswordState account_password_state(const char *shadow, const char *name);

/* /etc/shadow with HASH as NAME's password, set on DAY (days since 1970); a line is made when there
 * is none. The other lines and fields stay as they are. */
gchar *account_set_password(const char *shadow, const char *name, const char *hash, gint64 day);

/* True for what may stand in the password's field: printable ASCII, no ':', at most 384 bytes. */
gboolean account_hash_valid(const char *hash);
/* The SHA-512 hash (crypt(5)) of PASSWORD with a salt of its own; NULL if it cannot be made. */
gchar *account_hash(const char *password);

/* An authorized_keys file (NULL = none yet) with those of KEYS behind it that it does not have. */
gchar *account_add_keys(const char *authorized, const GStrv keys);
