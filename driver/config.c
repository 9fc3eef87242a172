// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "autoptr.h"
#include "error.h"
#include "filter_level.h"
#include "image_ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 1024 * 1024, MAX_SHOWN = 200, MAX_SENTENCE = 500 };

typedef enum { SETTING_STR, SETTING_NUM, SETTING_BOOL, SETTING_LIST } SettingType;

typedef struct {
    SettingType type;
    gsize offset; /* of the field in Config */
    const char *group;
    const char *key;
    const char *text; /* STR: the default */
    guint64 number;   /* NUM, BOOL: the default */
    guint64 smallest, largest;
} Setting;

static const Setting settings[] = {
#define STR(field, group, key, value)                                                              \
    {SETTING_STR, G_STRUCT_OFFSET(Config, field), group, key, value, 0, 0, 0},
#define NUM(field, group, key, value, smallest, largest)                                           \
    {SETTING_NUM, G_STRUCT_OFFSET(Config, field), group, key, NULL, value, smallest, largest},
#define BOOL(field, group, key, value)                                                             \
    {SETTING_BOOL, G_STRUCT_OFFSET(Config, field), group, key, NULL, value, 0, 0},
#define LIST(field, group, key)                                                                    \
    {SETTING_LIST, G_STRUCT_OFFSET(Config, field), group, key, NULL, 0, 0, 0},
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
};

static gpointer field_of(Config *config, const Setting *setting)
{
    return G_STRUCT_MEMBER_P(config, setting->offset);
}

const char *config_default_path(void)
{
    return VMDOCK_SYSCONFDIR "/vmdock.conf";
}

const char *config_parent_for(const char *cgroup_root, const char *systemd_folder)
{
    g_autofree gchar *unified = g_build_filename(cgroup_root, "cgroup.controllers", NULL);
    return g_file_test(unified, G_FILE_TEST_EXISTS) &&
                   g_file_test(systemd_folder, G_FILE_TEST_IS_DIR)
               ? "vmdock.slice"
               : "/vmdock";
}

static void find_parent(Config *config)
{
    if (!g_str_equal(config->cgroup_parent, CONFIG_AUTO))
        return;
    g_free(config->cgroup_parent);
    config->cgroup_parent = g_strdup(config_parent_for(config->cgroup_root, "/run/systemd/system"));
}

/* As the table says it. */
static Config *plain_defaults(void)
{
    Config *config = g_new0(Config, 1);
    config->path = g_strdup(config_default_path());
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        gpointer field = field_of(config, &settings[i]);
        switch (settings[i].type) {
        case SETTING_STR:
            *(gchar **)field = g_strdup(settings[i].text);
            break;
        case SETTING_NUM:
            *(guint64 *)field = settings[i].number;
            break;
        case SETTING_BOOL:
            *(gboolean *)field = settings[i].number != 0;
            break;
        case SETTING_LIST:
            *(GStrv *)field = g_new0(gchar *, 1);
            break;
        }
    }
    return config;
}

Config *config_defaults(void)
{
    Config *config = plain_defaults();
    find_parent(config);
    return config;
}

void config_free(Config *config)
{
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        gpointer field = field_of(config, &settings[i]);
        if (settings[i].type == SETTING_STR)
            g_free(*(gchar **)field);
        else if (settings[i].type == SETTING_LIST)
            g_strfreev(*(GStrv *)field);
    }
    g_free(config->path);
    g_free(config);
}

/* A sentence of the file's own words, or of GLib's, who puts those in as they are. */
static gboolean G_GNUC_PRINTF(2, 3) refuse_text(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree gchar *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree gchar *shown = vmdock_one_line(sentence, MAX_SENTENCE);
    g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, shown);
    return FALSE;
}

/* What is wrong with VALUE of SETTING, as the end of "must …". */
static gboolean refuse(GError **error, const Setting *setting, const char *value, const char *must)
{
    g_autofree gchar *shown = vmdock_one_line(value, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG, "[%s] %s = %s: must %s", setting->group,
                setting->key, shown, must);
    return FALSE;
}

static gboolean only_of(const char *text, const char *more)
{
    for (const char *p = text; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr(more, *p))
            return FALSE;
    return *text != '\0';
}

static gboolean is_cgroup_parent(const char *value)
{
    if (value[0] == '/')
        return value[1] != '.' && only_of(value + 1, "_.-");
    /* A dash in a slice's name means a slice inside another one, at a path of its own. */
    g_autofree gchar *stem = g_strndup(value, strlen(value) - MIN(strlen(value), 6));
    return g_str_has_suffix(value, ".slice") && only_of(stem, "_");
}

static gboolean check_string(const Setting *setting, const char *value, GError **error)
{
    for (const char *p = value; *p; p++)
        if (g_ascii_iscntrl(*p))
            return refuse(error, setting, value, "not hold control characters");
    if (*value == '\0')
        return refuse(error, setting, value, "not be empty");
    if (g_str_equal(setting->key, "cgroup_parent")) {
        if (!g_str_equal(value, CONFIG_AUTO) && !is_cgroup_parent(value))
            return refuse(error, setting, value,
                          "be \"auto\", \"/name\", or \"name.slice\" without a dash in the name");
    } else if (g_str_equal(setting->key, "registry")) {
        if (strcmp(value, setting->text) != 0 && !image_ref_is_registry(value))
            return refuse(error, setting, value, "be \"none\" or \"host:port[/path]\"");
    } else if (g_str_equal(setting->group, "network") && g_str_equal(setting->key, "filter")) {
        VmFilter filter;
        if (!vm_filter_parse(value, &filter))
            return refuse(error, setting, value, "be off, spoofing or full");
    } else if (g_str_equal(setting->key, "uri")) {
        if (!strstr(value, "://") || strpbrk(value, " \t\"'"))
            return refuse(error, setting, value, "be a URI of libvirt's, such as qemu:///system");
    } else if (setting->text[0] == '/') {
        if (value[0] != '/')
            return refuse(error, setting, value, "be an absolute path");
    } else if (!only_of(value, "_.-") || value[0] == '-') {
        return refuse(error, setting, value, "be one word of letters, digits, '_', '.' and '-'");
    }
    return TRUE;
}

static gboolean is_folder(const char *value)
{
    return value[0] == '/' && value[1] != '\0' && !strstr(value, "/../") &&
           !g_str_has_suffix(value, "/..");
}

static gboolean is_share(const char *value)
{
    const char *path = strstr(value, ":/");
    return path && path != value && value[0] != '-' && !strpbrk(value, " ,");
}

static gboolean check_item(const Setting *setting, const char *value, GError **error)
{
    if (g_str_equal(setting->key, "devices"))
        return value[0] == '/' || refuse(error, setting, value, "name devices by absolute paths");
    if (g_str_equal(setting->key, "volumes") || g_str_equal(setting->key, "mounts"))
        return is_folder(value) || refuse(error, setting, value, "name folders by absolute paths");
    if (g_str_equal(setting->key, "shares"))
        return is_share(value) || refuse(error, setting, value, "be \"server:/path\"");
    return (!g_str_has_prefix(value, "CAP_") && only_of(value, "_")) ||
           refuse(error, setting, value, "name capabilities without CAP_, as in \"NET_ADMIN\"");
}

static gboolean check_list(const Setting *setting, const GStrv list, GError **error)
{
    for (gsize i = 0; list[i]; i++)
        if (!check_item(setting, list[i], error))
            return FALSE;
    return TRUE;
}

static GStrv split_list(const char *value)
{
    g_auto(GStrv) pieces = g_strsplit_set(value, ";,", -1);
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    for (gsize i = 0; pieces[i]; i++)
        if (*g_strstrip(pieces[i]) != '\0')
            g_strv_builder_add(words, pieces[i]);
    return g_strv_builder_end(words);
}

static gboolean set_string(Config *config, const Setting *setting, const char *value,
                           GError **error)
{
    if (!check_string(setting, value, error))
        return FALSE;
    gchar **field = field_of(config, setting);
    g_free(*field);
    *field = g_strdup(value);
    return TRUE;
}

static gboolean set_number(Config *config, const Setting *setting, const char *value,
                           GError **error)
{
    if (g_ascii_string_to_unsigned(value, 10, setting->smallest, setting->largest,
                                   field_of(config, setting), NULL))
        return TRUE;
    g_autofree gchar *must =
        g_strdup_printf("be a whole number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                        setting->smallest, setting->largest);
    return refuse(error, setting, value, must);
}

static gboolean set_boolean(Config *config, const Setting *setting, const char *value,
                            GError **error)
{
    gboolean *field = field_of(config, setting);
    if (g_str_equal(value, "true") || g_str_equal(value, "yes"))
        *field = TRUE;
    else if (g_str_equal(value, "false") || g_str_equal(value, "no"))
        *field = FALSE;
    else
        return refuse(error, setting, value, "be true, yes, false or no");
    return TRUE;
}

static gboolean set_list(Config *config, const Setting *setting, const char *value, GError **error)
{
    g_auto(GStrv) list = split_list(value);
    if (!check_list(setting, list, error))
        return FALSE;
    GStrv *field = field_of(config, setting);
    g_strfreev(*field);
    *field = g_steal_pointer(&list);
    return TRUE;
}

static gboolean set(Config *config, const Setting *setting, const char *value, GError **error)
{
    switch (setting->type) {
    case SETTING_STR:
        return set_string(config, setting, value, error);
    case SETTING_NUM:
        return set_number(config, setting, value, error);
    case SETTING_BOOL:
        return set_boolean(config, setting, value, error);
    default:
        return set_list(config, setting, value, error);
    }
}

/* NULL when there is none; *group_known tells whether the group at least is one. */
static const Setting *setting_of(const char *group, const char *key, gboolean *group_known)
{
    *group_known = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        if (!g_str_equal(settings[i].group, group))
            continue;
        *group_known = TRUE;
        if (key && g_str_equal(settings[i].key, key))
            return &settings[i];
    }
    return NULL;
}

static gboolean take_key(Config *config, GKeyFile *file, const char *group, const char *key,
                         GError **error)
{
    gboolean group_known;
    const Setting *setting = setting_of(group, key, &group_known);
    if (!setting)
        return refuse_text(error, "[%s] %s: there is no such key", group, key);
    g_autoptr(GError) failure = NULL;
    g_autofree gchar *value = g_key_file_get_string(file, group, key, &failure);
    /* An unknown escape is an error beside a value that is there all the same. */
    if (!failure)
        return set(config, setting, g_strstrip(value), error);
    return refuse_text(error, "[%s] %s: %s", group, key, failure->message);
}

static gboolean take_group(Config *config, GKeyFile *file, const char *group, GError **error)
{
    gboolean known;
    setting_of(group, NULL, &known);
    if (!known)
        return refuse_text(error, "[%s]: there is no such group", group);
    g_auto(GStrv) keys = g_key_file_get_keys(file, group, NULL, NULL);
    for (gsize i = 0; keys && keys[i]; i++)
        if (!take_key(config, file, group, keys[i], error))
            return FALSE;
    return TRUE;
}

static gboolean take_text(Config *config, const char *text, gsize length, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) failure = NULL;
    /* Translations are kept, so that "key[de]" is refused as unknown and not dropped unseen. */
    if (!g_key_file_load_from_data(file, text, length, G_KEY_FILE_KEEP_TRANSLATIONS, &failure))
        return refuse_text(error, "%s", failure->message);
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (gsize i = 0; groups[i]; i++)
        if (!take_group(config, file, groups[i], error))
            return FALSE;
    return TRUE;
}

/* The file says what root does: nobody else may say it. */
static gboolean check_file(int fd, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_CONFIG, errno, "cannot be read");
        return FALSE;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "is no regular file of at most %d bytes", MAX_FILE);
        return FALSE;
    }
    if (geteuid() == 0 && (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_CONFIG,
                    "must belong to root and be writable by root alone, and belongs to uid %u with "
                    "mode %04o",
                    (guint)st.st_uid, (guint)st.st_mode & 07777);
        return FALSE;
    }
    return TRUE;
}

/* *mapped stays NULL when an unnamed file is not there. */
static gboolean map_file(const char *path, gboolean named, GMappedFile **mapped, GError **error)
{
    /* O_NONBLOCK: a FIFO in the file's place must not hang us before it is refused. */
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && !named)
        return TRUE;
    if (fd < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_CONFIG, errno, "cannot be read");
        return FALSE;
    }
    if (!check_file(fd, error))
        return FALSE;
    *mapped = g_mapped_file_new_from_fd(fd, FALSE, error);
    vmdock_error_adopt(error, VMDOCK_ERROR_CONFIG);
    return *mapped != NULL;
}

static gboolean read_into(Config *config, gboolean named, GError **error)
{
    g_autoptr(GMappedFile) mapped = NULL;
    if (!map_file(config->path, named, &mapped, error))
        return FALSE;
    if (!mapped)
        return TRUE;
    return take_text(config, g_mapped_file_get_contents(mapped), g_mapped_file_get_length(mapped),
                     error);
}

/*
 * GLib makes the locale that it reads numbers in when it reads the first. Of two threads that come
 * to it together, the one that waits takes a good number for none: waiting leaves EAGAIN in errno,
 * which g_ascii_string_to_unsigned() takes for the number's fault (GLib 2.74). So the first is read
 * before there is a second thread.
 */
static void read_first_number(void)
{
    g_ascii_strtoull("0", NULL, 10);
}

Config *config_parse(const char *text, gsize length, GError **error)
{
    read_first_number();
    g_autoptr(Config) config = plain_defaults();
    if (!take_text(config, text, length, error))
        return NULL;
    find_parent(config);
    return g_steal_pointer(&config);
}

Config *config_load(const char *path, GError **error)
{
    read_first_number();
    g_autoptr(Config) config = plain_defaults();
    if (path) {
        g_free(config->path);
        config->path = g_strdup(path);
    }
    if (read_into(config, path != NULL, error)) {
        find_parent(config);
        return g_steal_pointer(&config);
    }
    g_prefix_error(error, "configuration file %s: ", config->path);
    return NULL;
}
