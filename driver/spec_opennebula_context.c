// SPDX-License-Identifier: Apache-2.0
#include "account.h"
#include "autoptr.h"
#include "context_sh.h"
#include "error.h"
#include "spec_opennebula_private.h"

#include <string.h>

enum {
    MAX_VARIABLES = 10000,
    MAX_KEYS = 1000,
    MAX_KEY = 16384,
    MAX_PASSWORD = 511, /* bytes that crypt(3) takes */
    MAX_SCRIPT = 1048576,
    MAX_FILES = 1000,
    CIPHER_BLOCK = 16,
};

/* Where sentences on what is not honoured go; NULL: they have been said. */
typedef struct {
    const GPtrArray *variables;
    VmContext *context;
    OneVm *one;
} Reading;

static void note(const Reading *reading, const char *name, const char *why)
{
    if (reading->one)
        one_note(reading->one, "CONTEXT/%s is not honoured: %s", name, why);
}

/* NULL when the variable says nothing. */
static const char *said(const Reading *reading, const char *name)
{
    const char *value = vm_variables_value(reading->variables, name);
    return value && *value ? value : NULL;
}

/* The text that a variable holds in base64; NULL with a note when it holds none. */
static gchar *said_in_base64(const Reading *reading, const char *name)
{
    const char *value = said(reading, name);
    if (!value)
        return NULL;
    gsize length = 0;
    g_autofree gchar *text = (gchar *)g_base64_decode(value, &length);
    g_autofree gchar *copy = g_strndup(text, length);
    gboolean is_text = length > 0 && strlen(copy) == length && g_utf8_validate(copy, -1, NULL) &&
                       value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                           "0123456789+/= \t\r\n")] == '\0';
    if (is_text)
        return g_steal_pointer(&copy);
    note(reading, name, "it is no text in base64");
    return NULL;
}

static gboolean has_control(const char *text)
{
    for (const char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p))
            return TRUE;
    return FALSE;
}

static void read_user(const Reading *reading)
{
    const char *user = said(reading, "USERNAME");
    if (!user || strcmp(user, "root") == 0)
        return;
    if (account_name_valid(user))
        reading->context->user = g_strdup(user);
    else
        note(reading, "USERNAME", "it is no user's name; root stands for it");
}

static void add_keys(const Reading *reading, const char *name, GPtrArray *keys)
{
    const char *value = said(reading, name);
    g_auto(GStrv) lines = g_strsplit(value ? value : "", "\n", MAX_KEYS);
    for (char **line = lines; *line; line++) {
        const char *key = g_strstrip(*line);
        if (*key == '\0' || *key == '#')
            continue;
        if (strlen(key) > MAX_KEY || has_control(key))
            note(reading, name, "one of its lines is no key");
        else if (!g_ptr_array_find_with_equal_func(keys, key, g_str_equal, NULL))
            g_ptr_array_add(keys, g_strdup(key));
    }
}

static void read_keys(const Reading *reading)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    add_keys(reading, "SSH_PUBLIC_KEY", keys);
    add_keys(reading, "EC2_PUBLIC_KEY", keys);
    if (keys->len == 0)
        return;
    g_ptr_array_add(keys, NULL);
    reading->context->keys = (GStrv)g_ptr_array_steal(keys, NULL);
}

static void set_hash(const Reading *reading, const char *name, const char *hash)
{
    if (account_hash_valid(hash))
        reading->context->password_hash = g_strdup(hash);
    else
        note(reading, name, "it is no password's hash");
}

static void set_password(const Reading *reading, const char *name, const char *password)
{
    if (strlen(password) <= MAX_PASSWORD && !has_control(password))
        reading->context->password = g_strdup(password);
    else
        note(reading, name, "it is too long for a password, or has control characters");
}

/*
 * The front end keeps CONTEXT/PASSWORD encrypted (VM_ENCRYPTED_ATTR) and sends it so; only the
 * context image has it in clear. Taken for the password, it would lock the user out.
 */
static gboolean looks_encrypted(const char *value)
{
    gsize length = strlen(value), size = 0;
    if (length < 24 || length % 4 ||
        value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
                            "nopqrstuvwxyz0123456789+/=")])
        return FALSE;
    g_autofree guchar *bytes = g_base64_decode(value, &size);
    return bytes && size > 0 && size % CIPHER_BLOCK == 0;
}

/* In the order of OpenNebula's own context packages. */
static void read_password(const Reading *reading, gboolean from_image)
{
    g_autofree gchar *hash = said_in_base64(reading, "CRYPTED_PASSWORD_BASE64");
    g_autofree gchar *decoded = hash ? NULL : said_in_base64(reading, "PASSWORD_BASE64");
    const char *crypted = said(reading, "CRYPTED_PASSWORD");
    const char *clear = said(reading, "PASSWORD");
    if (hash)
        set_hash(reading, "CRYPTED_PASSWORD_BASE64", g_strchomp(hash));
    else if (decoded)
        set_password(reading, "PASSWORD_BASE64", g_strchomp(decoded));
    else if (crypted)
        set_hash(reading, "CRYPTED_PASSWORD", crypted);
    else if (clear && !from_image && looks_encrypted(clear))
        reading->context->sealed = TRUE;
    else if (clear)
        set_password(reading, "PASSWORD", clear);
}

static void read_script(const Reading *reading)
{
    g_autofree gchar *decoded = said_in_base64(reading, "START_SCRIPT_BASE64");
    const char *script = decoded ? decoded : said(reading, "START_SCRIPT");
    if (script && strlen(script) <= MAX_SCRIPT)
        reading->context->script = g_strdup(script);
    else if (script)
        note(reading, decoded ? "START_SCRIPT_BASE64" : "START_SCRIPT", "it is larger than 1 MiB");
}

/* "/path/name", or "/path/hash:'name'" of a file datastore: the name in the image. */
static gchar *file_name(const char *word)
{
    const char *colon = strchr(word, ':');
    if (!colon || strstr(word, "://"))
        return g_path_get_basename(word);
    g_autofree gchar *quoted = g_strdup(colon + 1);
    gsize length = strlen(quoted);
    if (length > 2 && quoted[0] == '\'' && quoted[length - 1] == '\'')
        return g_strndup(quoted + 1, length - 2);
    return g_steal_pointer(&quoted);
}

static void read_files(const Reading *reading)
{
    static const char *const names[] = {"FILES", "FILES_DS"};
    g_autoptr(GStrvBuilder) files = g_strv_builder_new();
    guint count = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = said(reading, names[i]);
        g_auto(GStrv) words = g_strsplit_set(value ? value : "", " \t\r\n", -1);
        for (char **word = words; *word && count < MAX_FILES; word++) {
            g_autofree gchar *name = **word ? file_name(*word) : NULL;
            if (!name)
                continue;
            g_strv_builder_add(files, name);
            count++;
        }
    }
    const char *token = said(reading, "TOKEN");
    if (token && g_ascii_strcasecmp(token, "YES") == 0) {
        g_strv_builder_add(files, "token.txt");
        count++;
    }
    if (count > 0)
        reading->context->files = g_strv_builder_end(files);
}

static void read_all(const Reading *reading, gboolean from_image)
{
    read_user(reading);
    read_keys(reading);
    read_password(reading, from_image);
    read_script(reading);
    read_files(reading);
}

/* An element's text as it stands: unlike elsewhere, blanks and an empty value are told. */
static gchar *raw_text(const xmlNode *node)
{
    GString *text = g_string_new(NULL);
    for (const xmlNode *part = node->children; part; part = part->next)
        if ((part->type == XML_TEXT_NODE || part->type == XML_CDATA_SECTION_NODE) && part->content)
            g_string_append(text, (const char *)part->content);
    return g_string_free(text, FALSE);
}

static void take_variables(OneVm *one, GPtrArray *variables)
{
    g_autoptr(GPtrArray) parts = one_children(one->templates, "CONTEXT");
    for (guint i = 0; i < parts->len; i++) {
        const xmlNode *part = parts->pdata[i];
        for (const xmlNode *node = part->children; node; node = node->next) {
            const char *name = (const char *)node->name;
            if (node->type != XML_ELEMENT_NODE || variables->len >= MAX_VARIABLES ||
                vm_variables_value(variables, name))
                continue;
            g_autofree gchar *value = raw_text(node);
            g_autofree gchar *shown = spec_shown(name);
            if (context_name_valid(name))
                vm_variables_set(variables, name, value);
            else
                one_note(one, "CONTEXT/%s is not honoured: it is no name of a shell's variable",
                         shown);
        }
    }
}

static gboolean is_number(const char *text)
{
    gsize length = text ? strlen(text) : 0;
    return length > 0 && length <= 10 && strspn(text, "0123456789") == length;
}

/* <system datastore>/<VM>/disk.<DISK_ID>, where the transfer driver puts it. */
static gchar *image_of(const OneVm *one, const GPtrArray *variables)
{
    const char *disk = vm_variables_value(variables, "DISK_ID");
    g_autoptr(GPtrArray) self = g_ptr_array_new();
    g_ptr_array_add(self, (gpointer)one->vm);
    g_autoptr(GPtrArray) records = one_children(self, "HISTORY_RECORDS");
    g_autoptr(GPtrArray) history = one_children(records, "HISTORY");
    g_autofree gchar *datastore =
        history->len > 0 ? xml_text(history->pdata[history->len - 1], "DS_ID") : NULL;
    if (!is_number(disk) || !is_number(datastore))
        return NULL;
    return g_strdup_printf("%s/%s/disk.%s", datastore, one->spec->cloud_id, disk);
}

static gint compare_variables(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean has_variable(const GStrv environment, const char *name)
{
    gsize length = strlen(name);
    for (char **item = environment; item && *item; item++)
        if (strncmp(*item, name, length) == 0 && (*item)[length] == '=')
            return TRUE;
    return FALSE;
}

/* Variables that are meant for the first process' environment; ONEDOCK_ENV's own win. */
static void pass_environment(OneVm *one, const GPtrArray *variables)
{
    const char *prefix = one->options->env_prefix;
    VmProcess *process = &one->spec->process;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    for (char **item = process->environment; item && *item; item++)
        g_ptr_array_add(list, g_strdup(*item));
    guint before = list->len;
    for (guint i = 0; prefix && i < variables->len; i++) {
        const VmVariable *variable = variables->pdata[i];
        if (!g_str_has_prefix(variable->name, prefix))
            continue;
        const char *name = variable->name + strlen(prefix);
        if (*name == '\0' || g_ascii_isdigit(*name) ||
            !spec_check_text("", variable->value, "\t\n", NULL))
            one_note(one, "CONTEXT/%s is not honoured: it makes no variable of the environment",
                     variable->name);
        else if (!has_variable(process->environment, name))
            g_ptr_array_add(list, g_strconcat(name, "=", variable->value, NULL));
    }
    if (list->len == before)
        return;
    g_ptr_array_sort(list, compare_variables);
    g_ptr_array_add(list, NULL);
    g_strfreev(process->environment);
    process->environment = (GStrv)g_ptr_array_steal(list, NULL);
}

/* What OpenNebula's context packages would do, and nobody does here. */
static void note_not_done(OneVm *one, const GPtrArray *variables)
{
    static const char *const names[] = {
        "DNS_HOSTNAME",   "EC2_HOSTNAME",
        "EC2_USER_DATA",  "GATEWAY_IFACE",
        "GRANT_SUDO",     "INIT_SCRIPTS",
        "READY_SCRIPT",   "READY_SCRIPT_PATH",
        "REPORT_READY",   "SECURETTY",
        "TIMEZONE",       "USERDATA",
        "USER_DATA",      "USERNAME_PASSWORD_RESET",
        "USERNAME_SHELL", "USERNAME_SUDO",
    };
    g_autoptr(GPtrArray) asked = g_ptr_array_new();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = vm_variables_value(variables, names[i]);
        if (value && *value && g_ascii_strcasecmp(value, "NO") != 0)
            g_ptr_array_add(asked, (gpointer)names[i]);
    }
    g_autofree gchar *list = spec_join(asked);
    if (asked->len > 0)
        one_note(one,
                 "CONTEXT/%s %s not honoured: the container reads %s in context.sh, and has "
                 "to act on it itself",
                 list, spec_are(asked), asked->len == 1 ? "it" : "them");
}

void one_parse_context(OneVm *one)
{
    g_autoptr(VmContext) context = vm_context_new();
    take_variables(one, context->variables);
    if (context->variables->len == 0)
        return;
    Reading reading = {context->variables, context, one};
    read_all(&reading, FALSE);
    context->image = image_of(one, context->variables);
    pass_environment(one, context->variables);
    note_not_done(one, context->variables);
    one->spec->context = g_steal_pointer(&context);
}

VmContext *opennebula_context_of_image(const VmContext *context, const GPtrArray *variables)
{
    g_autoptr(VmContext) whole = vm_context_new();
    for (guint i = 0; i < context->variables->len; i++) {
        const VmVariable *variable = context->variables->pdata[i];
        const char *clear = vm_variables_value(variables, variable->name);
        vm_variables_set(whole->variables, variable->name, clear ? clear : variable->value);
    }
    Reading reading = {whole->variables, whole, NULL};
    read_all(&reading, vm_variables_value(variables, "PASSWORD") != NULL);
    whole->image = g_strdup(context->image);
    return g_steal_pointer(&whole);
}
