// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include "plain.h"

#include <string.h>

enum { MAX_FILE = 1 << 20 };

static const struct {
    const char *group, *key, *value;
    size_t offset;
} rows[] = {
#define X(field, group, key, value) {group, key, value, offsetof(Settings, field)},
    SETTINGS_TABLE(X)
#undef X
};

enum { ROWS = sizeof rows / sizeof *rows };

static char **field_of(Settings *settings, size_t row)
{
    return (char **)(void *)((char *)settings + rows[row].offset);
}

void settings_clear(Settings *settings)
{
    for (size_t i = 0; i < ROWS; i++)
        free(*field_of(settings, i));
    *settings = (Settings){0};
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* GKeyFile's escapes: \s \n \t \r and \\; no other. */
static bool unescape(char *value)
{
    char *to = value;
    for (const char *from = value; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        static const char names[] = "sntr\\", meanings[] = " \n\t\r\\";
        const char *known = *++from ? strchr(names, *from) : NULL;
        if (!known)
            return false;
        *to++ = meanings[known - names];
    }
    *to = '\0';
    return true;
}

static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && blank(text[length - 1]))
        text[--length] = '\0';
}

/* Blanks at either end are no part of a value, escaped or not: so the rest of vmdock reads it. */
static void trim(char *text)
{
    size_t front = 0;
    trim_end(text);
    while (blank(text[front]))
        front++;
    memmove(text, text + front, strlen(text + front) + 1);
}

/* A cgroup parent is a path or the name of a slice; everything else is an absolute path. */
static bool fit(size_t row, const char *value)
{
    if (rows[row].offset == offsetof(Settings, cgroup_parent))
        return value[strspn(value, "/.")] != '\0' && !strchr(value, ':') && !strstr(value, "..");
    return value[0] == '/' && value[1] != '\0';
}

static bool assign(Settings *settings, size_t row, const char *value, const char *name,
                   char **error)
{
    autofree char *own = plain_print("%s", value);
    if (!unescape(own))
        return plain_fail(error, "%s: [%s] %s: an unknown escape", name, rows[row].group,
                          rows[row].key);
    trim(own);
    size_t length = strlen(own);
    while (length > 1 && own[length - 1] == '/')
        own[--length] = '\0';
    if (!fit(row, own))
        return plain_fail(error, "%s: [%s] %s must be %s", name, rows[row].group, rows[row].key,
                          rows[row].offset == offsetof(Settings, cgroup_parent)
                              ? "a cgroup under the root"
                              : "an absolute path");
    char **field = field_of(settings, row);
    free(*field);
    *field = own;
    own = NULL;
    return true;
}

/* One line that is neither blank nor a comment; GROUP is NULL before the first group. */
static bool take_line(char *line, char **group, Settings *settings, const char *name,
                      unsigned number, char **error)
{
    if (*line == '[') {
        char *end = strchr(line, ']');
        if (!end || end == line + 1 || end[1 + strspn(end + 1, " \t")] != '\0')
            return plain_fail(error, "%s: line %u is not a group", name, number);
        *end = '\0';
        *group = line + 1;
        return true;
    }
    char *value = strchr(line, '=');
    if (!value || value == line || !*group)
        return plain_fail(error, "%s: line %u is neither a group nor a key of one", name, number);
    *value++ = '\0';
    trim_end(line);
    while (blank(*value))
        value++;
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(*group, rows[i].group) == 0 && strcmp(line, rows[i].key) == 0)
            return assign(settings, i, value, name, error);
    return true;
}

/* What the rest of vmdock takes for it depends on the host; bundle_owner() knows either by this. */
static void find_parent(Settings *settings)
{
    if (strcmp(settings->cgroup_parent, SETTINGS_AUTO) != 0)
        return;
    free(settings->cgroup_parent);
    settings->cgroup_parent = plain_print("/vmdock");
}

bool settings_parse(const char *text, const char *name, Settings *settings, char **error)
{
    for (size_t i = 0; i < ROWS; i++) {
        free(*field_of(settings, i));
        *field_of(settings, i) = plain_print("%s", rows[i].value);
    }
    autofree char *own = plain_print("%s", text);
    char *group = NULL, *rest = own;
    for (unsigned number = 1; rest; number++) {
        char *line = strsep(&rest, "\n");
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        while (blank(*line))
            line++;
        if (*line == '\0' || *line == '#')
            continue;
        if (!take_line(line, &group, settings, name, number, error))
            return false;
    }
    find_parent(settings);
    return true;
}

bool settings_load(const char *path, Settings *settings, char **error)
{
    autofree char *text = NULL;
    size_t length = 0;
    switch (plain_read(path, MAX_FILE, PLAIN_LINKED, &text, &length, NULL, error)) {
    case PLAIN_MISSING:
        return settings_parse("", path, settings, error);
    case PLAIN_FAILED:
        return false;
    case PLAIN_READ:
        break;
    }
    if (strlen(text) != length)
        return plain_fail(error, "%s holds a NUL byte", path);
    return settings_parse(text, path, settings, error);
}
