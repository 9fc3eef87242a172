// SPDX-License-Identifier: Apache-2.0
#include "autoptr.h"
#include "spec_attribute.h"
#include "spec_opennebula_private.h"

#include <signal.h>
#include <string.h>

enum {
    MAX_VALUE = 262144, /* bytes of one attribute */
    MAX_ARGUMENTS = 1024,
    MAX_VARIABLES = 1024,
    MAX_STOP_TIMEOUT = 86400,
    MAX_PIDS = 4194304,
};

#define PREFIX "ONEDOCK"

static gchar *in_elements(const GPtrArray *parents, const char *name)
{
    for (guint i = 0; i < parents->len; i++) {
        gchar *text = xml_text(parents->pdata[i], name);
        if (text)
            return text;
    }
    return NULL;
}

static gchar *in_vectors(const GPtrArray *parents, const char *name)
{
    g_autoptr(GPtrArray) vectors = one_children(parents, PREFIX);
    return in_elements(vectors, name);
}

gchar *one_attribute(const OneVm *one, const char *name, gchar **label)
{
    const GPtrArray *const places[] = {one->user_templates, one->templates};
    g_autofree gchar *scalar = g_strdup_printf(PREFIX "_%s", name);
    gchar *value = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(places) && !value; i++)
        value = in_elements(places[i], scalar);
    if (value) {
        if (label)
            *label = g_steal_pointer(&scalar);
        return value;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(places) && !value; i++)
        value = in_vectors(places[i], name);
    if (value && label)
        *label = g_strdup_printf(PREFIX "/%s", name);
    return value;
}

static json_t *load_json(const char *label, const char *value, GError **error)
{
    json_error_t problem;
    json_t *json = json_loads(value, JSON_REJECT_DUPLICATES, &problem);
    /* jansson quotes the text near the fault, which may be a secret. */
    if (!json)
        spec_fail(error, "%s: line %d, column %d: malformed JSON", label, problem.line,
                  problem.column);
    return json;
}

static GStrv json_words(const char *label, const json_t *array, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    gsize index;
    const json_t *item;
    json_array_foreach (array, index, item) {
        if (!json_is_string(item)) {
            spec_fail(error, "%s: entry %" G_GSIZE_FORMAT " of the JSON array is no string", label,
                      index + 1);
            return NULL;
        }
        g_strv_builder_add(builder, json_string_value(item));
    }
    return g_strv_builder_end(builder);
}

static GStrv shell_words(const char *label, const char *value, GError **error)
{
    GStrv words = NULL;
    g_autoptr(GError) problem = NULL;
    if (g_shell_parse_argv(value, NULL, &words, &problem))
        return words;
    spec_fail(error, "%s: %s", label,
              g_error_matches(problem, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING)
                  ? "it has no words"
                  : "a quotation is not closed");
    return NULL;
}

static gboolean parse_words(const char *label, const char *value, GStrv *words, GError **error)
{
    if (*value == '[') {
        g_autoptr(json_t) json = load_json(label, value, error);
        *words = json ? json_words(label, json, error) : NULL;
    } else {
        *words = shell_words(label, value, error);
    }
    if (!*words || !spec_check_count(label, *words, MAX_ARGUMENTS, error))
        return FALSE;
    for (char **word = *words; *word; word++)
        if (!spec_check_text(label, *word, "\t\n", error))
            return FALSE;
    return TRUE;
}

static gboolean set_command(OneVm *one, const char *label, const char *value, GError **error)
{
    GStrv *command = &one->spec->process.command;
    if (!parse_words(label, value, command, error))
        return FALSE;
    return *command[0] || spec_fail(error, "%s: it has no words", label);
}

static gboolean set_entrypoint(OneVm *one, const char *label, const char *value, GError **error)
{
    return parse_words(label, value, &one->spec->process.entrypoint, error);
}

/* A value of a JSON object as the text of a variable; NULL when it cannot be one. */
static gchar *json_text(const json_t *value)
{
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    if (json_is_number(value) || json_is_boolean(value)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        gchar *copy = g_strdup(text);
        free(text);
        return copy;
    }
    return NULL;
}

static gboolean variable_name_valid(const char *name, gsize length)
{
    if (length == 0 || g_ascii_isdigit(*name))
        return FALSE;
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isalnum(name[i]) && !strchr("_.-", name[i]))
            return FALSE;
    return TRUE;
}

static GStrv object_variables(const char *label, json_t *object, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *name;
    json_t *value;
    json_object_foreach (object, name, value) {
        g_autofree gchar *text = json_text(value);
        g_autofree gchar *shown = spec_shown(name);
        if (!variable_name_valid(name, strlen(name))) {
            spec_fail(error, "%s: \"%s\" is no valid name", label, shown);
            return NULL;
        }
        if (!text) {
            spec_fail(error, "%s: the value of %s is no string", label, shown);
            return NULL;
        }
        g_autofree gchar *variable = g_strdup_printf("%s=%s", name, text);
        g_strv_builder_add(builder, variable);
    }
    return g_strv_builder_end(builder);
}

static GStrv split_variables(const char *label, const char *value, GError **error)
{
    if (*value != '{' && *value != '[')
        return spec_commas(value);
    g_autoptr(json_t) json = load_json(label, value, error);
    if (!json)
        return NULL;
    return json_is_object(json) ? object_variables(label, json, error)
                                : json_words(label, json, error);
}

static gint compare_names(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer data)
{
    return strcmp(a, b);
}

/* Sorted by name; of two values of one variable the later one stays, as in a shell. */
static GStrv sort_variables(const GStrv variables)
{
    g_autoptr(GTree) tree = g_tree_new_full(compare_names, NULL, g_free, NULL);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (char **item = variables; *item; item++)
        g_tree_replace(tree, g_strndup(*item, strcspn(*item, "=")), *item);
    for (GTreeNode *node = g_tree_node_first(tree); node; node = g_tree_node_next(node))
        g_strv_builder_add(builder, g_tree_node_value(node));
    return g_strv_builder_end(builder);
}

static gboolean set_environment(OneVm *one, const char *label, const char *value, GError **error)
{
    g_auto(GStrv) variables = split_variables(label, value, error);
    if (!variables || !spec_check_count(label, variables, MAX_VARIABLES, error))
        return FALSE;
    for (guint i = 0; variables[i]; i++) {
        const char *equals = strchr(variables[i], '=');
        if (!equals)
            return spec_fail(error, "%s: entry %u is not NAME=value", label, i + 1);
        if (!variable_name_valid(variables[i], (gsize)(equals - variables[i])))
            return spec_fail(error, "%s: entry %u has no valid name", label, i + 1);
        if (!spec_check_text(label, equals, "\t\n", error))
            return FALSE;
    }
    one->spec->process.environment = sort_variables(variables);
    return TRUE;
}

static gboolean set_user(OneVm *one, const char *label, const char *value, GError **error)
{
    if (strpbrk(value, " \t\n"))
        return spec_fail(error, "%s: a user has no blanks", label);
    one->spec->process.user = g_strdup(value);
    return spec_check_text(label, value, "", error);
}

static gboolean set_working_dir(OneVm *one, const char *label, const char *value, GError **error)
{
    one->spec->process.working_dir = g_strdup(value);
    return strcmp(value, "/") == 0 || spec_check_path(label, value, error);
}

static gboolean set_terminal(OneVm *one, const char *label, const char *value, GError **error)
{
    return spec_flag(label, value, &one->spec->process.terminal, error);
}

static gboolean set_init(OneVm *one, const char *label, const char *value, GError **error)
{
    return spec_flag(label, value, &one->spec->process.init, error);
}

static gboolean signal_known(const char *name)
{
    guint64 number;
    if (g_str_has_prefix(name, "RTMIN") || g_str_has_prefix(name, "RTMAX")) {
        const char *offset = name + strlen("RTMIN");
        return *offset == '\0' ||
               (*offset == (name[4] == 'N' ? '+' : '-') &&
                g_ascii_string_to_unsigned(offset + 1, 10, 1, 15, &number, NULL));
    }
    for (int i = 1; i < NSIG; i++)
        if (g_strcmp0(sigabbrev_np(i), name) == 0)
            return TRUE;
    return FALSE;
}

static gboolean set_stop_signal(OneVm *one, const char *label, const char *value, GError **error)
{
    guint64 number;
    g_autofree gchar *upper = g_ascii_strup(value, -1);
    const char *name = g_str_has_prefix(upper, "SIG") ? upper + 3 : upper;
    if (g_ascii_string_to_unsigned(value, 10, 1, NSIG - 1, &number, NULL)) {
        one->spec->process.stop_signal = g_strdup(value);
        return TRUE;
    }
    one->spec->process.stop_signal = g_strconcat("SIG", name, NULL);
    g_autofree gchar *shown = spec_shown(value);
    return signal_known(name) || spec_fail(error, "%s: \"%s\" is no signal", label, shown);
}

static gboolean set_stop_timeout(OneVm *one, const char *label, const char *value, GError **error)
{
    guint64 seconds;
    if (!spec_number(label, value, "seconds", 0, MAX_STOP_TIMEOUT, &seconds, error))
        return FALSE;
    one->spec->process.stop_timeout = (gint)seconds;
    return TRUE;
}

static gboolean set_filter(OneVm *one, const char *label, const char *value, GError **error)
{
    g_autofree gchar *shown = spec_shown(value);
    return vm_filter_parse(value, &one->spec->filter) ||
           spec_fail(error, "%s: \"%s\" is none of off, spoofing and full", label, shown);
}

static gboolean set_probe(OneVm *one, const char *label, const char *value, GError **error)
{
    gboolean asked = FALSE;
    if (!spec_flag(label, value, &asked, error))
        return FALSE;
    one->spec->probe = asked ? VM_PROBE_YES : VM_PROBE_NO;
    return TRUE;
}

static gboolean set_pids(OneVm *one, const char *label, const char *value, GError **error)
{
    guint64 pids;
    if (!spec_number(label, value, "processes", 1, MAX_PIDS, &pids, error))
        return FALSE;
    one->spec->limits.pids = (gint64)pids;
    return TRUE;
}

static const struct {
    const char *name;
    OneSetFunc *set; /* NULL: read elsewhere */
} attributes[] = {
    {"COMMAND", set_command},
    {"ENTRYPOINT", set_entrypoint},
    {"ENV", set_environment},
    {"USER", set_user},
    {"WORKDIR", set_working_dir},
    {"TERMINAL", set_terminal},
    {"INIT", set_init},
    {"STOP_SIGNAL", set_stop_signal},
    {"STOP_TIMEOUT", set_stop_timeout},
    {"PIDS_LIMIT", set_pids},
    {"READONLY_ROOT", one_set_read_only},
    {"TMPFS", one_set_tmpfs},
    {"CAP_ADD", one_set_capabilities},
    {"DEVICES", one_set_devices},
    {"PRIVILEGED", one_set_privileged},
    {"FILTER", set_filter},
    {"ADDRESS_PROBE", set_probe},
    {"IMAGE", NULL},
    {"SWAP", NULL},
};

gboolean spec_attribute_set(VmSpec *spec, const char *name, const char *label, const char *value,
                            gboolean *known, GError **error)
{
    OneVm one = {.spec = spec};
    *known = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++) {
        if (!attributes[i].set || g_ascii_strcasecmp(attributes[i].name, name) != 0)
            continue;
        *known = TRUE;
        if (strlen(value) > MAX_VALUE)
            return spec_fail(error, "%s is longer than %d bytes", label, MAX_VALUE);
        return attributes[i].set(&one, label, value, error);
    }
    return TRUE;
}

const char *spec_attribute_name(gsize row)
{
    return row < G_N_ELEMENTS(attributes) ? attributes[row].name : NULL;
}

static gboolean attribute_known(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (strcmp(attributes[i].name, name) == 0)
            return TRUE;
    return FALSE;
}

static void note_unknown(OneVm *one, const xmlNode *parent, const char *prefix)
{
    for (const xmlNode *node = parent->children; node; node = node->next) {
        const char *name = (const char *)node->name;
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (*prefix == '\0' && strcmp(name, PREFIX) == 0)
            note_unknown(one, node, PREFIX "/");
        else if (*prefix == '\0' && !g_str_has_prefix(name, PREFIX "_"))
            continue;
        else if (!attribute_known(*prefix ? name : name + strlen(PREFIX "_")))
            one_note(one, "%s%s is not honoured: there is no such attribute", prefix, name);
    }
}

/* ONEDock's own attribute: arguments of the image's command, between blanks; no shell reads it. */
static gboolean parse_dockerrun(OneVm *one, GError **error)
{
    g_autofree gchar *value = in_elements(one->user_templates, "DOCKERRUN");
    if (!value)
        value = one_template_text(one, "DOCKERRUN");
    if (!value)
        value = xml_text(one->root_disk, "DOCKERRUN");
    if (!value)
        return TRUE;
    if (strlen(value) > MAX_VALUE)
        return spec_fail(error, "DOCKERRUN is longer than %d bytes", MAX_VALUE);
    if (one->spec->process.command) {
        one_note(one, "DOCKERRUN is not honoured: " PREFIX " gives the command");
        return TRUE;
    }
    g_auto(GStrv) words = g_strsplit_set(value, " \t\r\n", -1);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (char **word = words; *word; word++)
        if (**word)
            g_strv_builder_add(builder, *word);
    one->spec->process.command = g_strv_builder_end(builder);
    return spec_check_count("DOCKERRUN", one->spec->process.command, MAX_ARGUMENTS, error) &&
           spec_check_text("DOCKERRUN", value, " \t\r\n", error);
}

gboolean one_parse_process(OneVm *one, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++) {
        g_autofree gchar *label = NULL;
        g_autofree gchar *value = one_attribute(one, attributes[i].name, &label);
        if (!value || !attributes[i].set)
            continue;
        if (strlen(value) > MAX_VALUE)
            return spec_fail(error, "%s is longer than %d bytes", label, MAX_VALUE);
        if (!attributes[i].set(one, label, value, error))
            return FALSE;
    }
    for (guint i = 0; i < one->user_templates->len; i++)
        note_unknown(one, one->user_templates->pdata[i], "");
    for (guint i = 0; i < one->templates->len; i++)
        note_unknown(one, one->templates->pdata[i], "");
    return parse_dockerrun(one, error);
}
