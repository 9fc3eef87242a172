// SPDX-License-Identifier: Apache-2.0
#include "autoptr.h"
#include "spec_attribute.h"
#include "spec_domain_private.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 1024, MAX_LIST = 16 };

/* Sets an attribute whose value has been put into one of the forms that it takes. */
static gboolean set(VmSpec *spec, const char *name, const char *label, const char *value,
                    GError **error)
{
    gboolean known = FALSE;
    return spec_attribute_set(spec, name, label, value, &known, error);
}

static gboolean set_words(VmSpec *spec, const char *name, const char *label, json_t *words,
                          GError **error)
{
    g_autoptr(json_t) owned = words;
    char *text = json_dumps(owned, 0);
    gboolean good = text ? set(spec, name, label, text, error)
                         : spec_fail(error, "%s: not all of it is text", label);
    free(text);
    return good;
}

/* ---- os -------------------------------------------------------------------------------------- */

/* Text as it stands: blanks are part of an argument. */
static json_t *raw_text(const xmlNode *node)
{
    xmlChar *text = xmlNodeGetContent(node);
    json_t *json = json_string(text ? (const char *)text : "");
    xmlFree(text);
    return json;
}

static gboolean take_arguments(VmSpec *spec, xmlNode *os, GError **error)
{
    g_autoptr(GPtrArray) nodes = domain_children(os, "initarg");
    if (nodes->len == 0)
        return TRUE;
    json_t *words = json_array();
    for (guint i = 0; i < nodes->len; i++)
        json_array_append_new(words, raw_text(nodes->pdata[i]));
    return set_words(spec, "COMMAND", "os/initarg", words, error);
}

static gboolean take_environment(VmSpec *spec, xmlNode *os, GError **error)
{
    g_autoptr(GPtrArray) nodes = domain_children(os, "initenv");
    if (nodes->len == 0)
        return TRUE;
    json_t *words = json_array();
    for (guint i = 0; i < nodes->len; i++) {
        g_autofree gchar *name = domain_attribute(nodes->pdata[i], "name");
        g_autoptr(json_t) value = raw_text(nodes->pdata[i]);
        g_autofree gchar *word =
            g_strdup_printf("%s=%s", name ? name : "", json_string_value(value));
        json_array_append_new(words, json_string(word));
    }
    return set_words(spec, "ENV", "os/initenv", words, error);
}

/* libvirt writes a number as "+1000" where it could be taken for a name. */
static const char *plain_user(const char *user)
{
    return *user == '+' ? user + 1 : user;
}

static gboolean take_user(VmSpec *spec, xmlNode *os, GError **error)
{
    g_autofree gchar *user = domain_text(os, "inituser");
    g_autofree gchar *group = domain_text(os, "initgroup");
    if (!user && !group)
        return TRUE;
    g_autofree gchar *both =
        group ? g_strdup_printf("%s:%s", user ? plain_user(user) : "0", plain_user(group))
              : g_strdup(plain_user(user));
    return set(spec, "USER", "os/inituser", both, error);
}

gboolean domain_take_os(Domain *domain, GError **error)
{
    VmSpec *spec = domain->spec;
    xmlNode *os = domain_child(domain->root, "os");
    xmlNode *type = domain_child(os, "type");
    g_autofree gchar *kind = type ? xml_node_text(type) : NULL;
    g_free(domain_attribute(type, "arch")); /* libvirt writes it into each; the image has its own */
    if (kind && strcmp(kind, "exe") != 0) {
        g_autofree gchar *shown = spec_shown(kind);
        return spec_fail(error, "os/type is %s: a container runs a program, exe, and boots nothing",
                         shown);
    }
    g_autofree gchar *init = domain_text(os, "init");
    g_autofree gchar *folder = domain_text(os, "initdir");
    if (init && !set_words(spec, "ENTRYPOINT", "os/init", json_pack("[s]", init), error))
        return FALSE;
    return take_arguments(spec, os, error) && take_environment(spec, os, error) &&
           (!folder || set(spec, "WORKDIR", "os/initdir", folder, error)) &&
           take_user(spec, os, error);
}

/* ---- features -------------------------------------------------------------------------------- */

typedef struct {
    GString *added, *dropped; /* names between commas */
} Capabilities;

static gboolean sort_out(const xmlNode *node, const char *state, Capabilities *capabilities,
                         GError **error)
{
    gboolean on = g_strcmp0(state, "on") == 0;
    if (!on && g_strcmp0(state, "off") != 0) {
        g_autofree gchar *shown = spec_shown((const char *)node->name);
        return spec_fail(error, "features/capabilities/%s: its state is neither on nor off", shown);
    }
    GString *list = on ? capabilities->added : capabilities->dropped;
    g_string_append_printf(list, "%s%s", list->len > 0 ? "," : "", (const char *)node->name);
    return TRUE;
}

/* What is of no use beside ALL is left out. */
static gboolean set_capabilities(VmSpec *spec, const char *policy, const Capabilities *lists,
                                 GError **error)
{
    const char *label = "features/capabilities";
    gboolean allow = strcmp(policy, "allow") == 0, deny = strcmp(policy, "deny") == 0;
    const char *dropped = deny ? "ALL" : lists->dropped->str;
    const char *added = allow ? "ALL" : lists->added->str;
    if (*dropped && !set(spec, "CAP_ADD", label, dropped, error))
        return FALSE;
    spec->capabilities_dropped = g_steal_pointer(&spec->capabilities);
    return !*added || set(spec, "CAP_ADD", label, added, error);
}

static gboolean take_capabilities(Domain *domain, xmlNode *node, GError **error)
{
    g_autofree gchar *policy = domain_attribute(node, "policy");
    g_autoptr(GString) added = g_string_new(NULL), dropped = g_string_new(NULL);
    Capabilities lists = {added, dropped};
    if (policy && strcmp(policy, "default") != 0 && strcmp(policy, "allow") != 0 &&
        strcmp(policy, "deny") != 0) {
        g_autofree gchar *shown = spec_shown(policy);
        return spec_fail(error, "features/capabilities: \"%s\" is no policy", shown);
    }
    for (xmlNode *child = node->children; child; child = child->next) {
        if (child->type != XML_ELEMENT_NODE || child->ns)
            continue;
        g_autofree gchar *state = domain_attribute(child, "state");
        domain_take_all(child);
        if (!sort_out(child, state, &lists, error))
            return FALSE;
    }
    return set_capabilities(domain->spec, policy ? policy : "default", &lists, error);
}

/* privnet: every VM has a network of its own. */
gboolean domain_take_features(Domain *domain, GError **error)
{
    xmlNode *features = domain_child(domain->root, "features");
    xmlNode *capabilities = domain_child(features, "capabilities");
    domain_child(features, "privnet");
    return !capabilities || take_capabilities(domain, capabilities, error);
}

/* ---- metadata -------------------------------------------------------------------------------- */

static gboolean is_vmdocks(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && node->ns &&
           strcmp((const char *)node->ns->href, DOMAIN_NAMESPACE) == 0;
}

static gboolean add_to_list(GStrv *list, const char *label, const char *value, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    if (*list)
        g_strv_builder_addv(builder, (const char **)*list);
    if (!*list || !g_strv_contains((const gchar *const *)*list, value))
        g_strv_builder_add(builder, value);
    g_strfreev(*list);
    *list = g_strv_builder_end(builder);
    return spec_check_count(label, *list, MAX_LIST, error);
}

static gboolean add_server(VmSpec *spec, const char *label, const char *value, GError **error)
{
    VmAddress address;
    g_autofree gchar *shown = spec_shown(value);
    if (strchr(value, '/') || !vm_address_parse(value, &address))
        return spec_fail(error, "%s: \"%s\" is no address", label, shown);
    g_autofree gchar *text = vm_address_text(&address);
    return add_to_list(&spec->dns, label, text, error);
}

static gboolean add_search(VmSpec *spec, const char *label, const char *value, GError **error)
{
    g_autofree gchar *name = vm_hostname_from(value, "");
    g_autofree gchar *shown = spec_shown(value);
    return strcmp(name, value) == 0 ? add_to_list(&spec->search, label, value, error)
                                    : spec_fail(error, "%s: \"%s\" is no domain", label, shown);
}

/* What an element of libvirt's has said. */
static gboolean is_set(const VmSpec *spec, const char *name)
{
    const struct {
        const char *name;
        gboolean set;
    } attributes[] = {
        {"command", spec->process.command != NULL},
        {"entrypoint", spec->process.entrypoint != NULL},
        {"env", spec->process.environment != NULL},
        {"user", spec->process.user != NULL},
        {"workdir", spec->process.working_dir != NULL},
        {"cap_add", spec->capabilities || spec->capabilities_dropped},
        {"tmpfs", spec->tmpfs != NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (strcmp(attributes[i].name, name) == 0)
            return attributes[i].set;
    return FALSE;
}

static gboolean take_attribute(VmSpec *spec, const char *name, const char *label, const char *value,
                               GError **error)
{
    gboolean known = FALSE;
    if (is_set(spec, name)) {
        spec_note(spec, "%s is not honoured: libvirt's own elements have said it", label);
        return TRUE;
    }
    if (!spec_attribute_set(spec, name, label, value, &known, error))
        return FALSE;
    if (!known)
        spec_note(spec, "%s is not honoured: there is no such element", label);
    return TRUE;
}

static gboolean take_one(VmSpec *spec, xmlNode *node, GError **error)
{
    const char *name = (const char *)node->name;
    g_autofree gchar *label = g_strconcat("metadata/", name, NULL);
    g_autofree gchar *value = xml_node_text(node);
    if (!value)
        return TRUE;
    if (strcmp(name, "image") == 0) {
        spec->image_source = g_strdup(value);
        return spec_set_image(spec, label, value, error);
    }
    if (strcmp(name, "size") == 0)
        return domain_size(node, NULL, "unit", label, &spec->root_size, error);
    if (strcmp(name, "hostname") == 0) {
        g_free(spec->hostname);
        spec->hostname = vm_hostname_from(value, spec->deploy_id);
        return TRUE;
    }
    if (strcmp(name, "dns") == 0)
        return add_server(spec, label, value, error);
    if (strcmp(name, "search") == 0)
        return add_search(spec, label, value, error);
    return take_attribute(spec, name, label, value, error);
}

/* Of each attribute the first one counts. */
static gboolean take_vm(VmSpec *spec, xmlNode *vm, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (xmlNode *node = vm->children; node; node = node->next) {
        const char *name = (const char *)node->name;
        if (!is_vmdocks(node))
            continue;
        gboolean list = strcmp(name, "dns") == 0 || strcmp(name, "search") == 0;
        if (!list && !g_hash_table_add(seen, (gpointer)name))
            spec_note(spec, "metadata/%s is not honoured a second time", name);
        else if (!take_one(spec, node, error))
            return FALSE;
    }
    return TRUE;
}

/* What stands there for other programs is for them. */
gboolean domain_take_metadata(Domain *domain, GError **error)
{
    xmlNode *metadata = domain_child(domain->root, "metadata");
    gboolean found = FALSE, good = TRUE;
    for (xmlNode *node = metadata ? metadata->children : NULL; node && good; node = node->next) {
        if (is_vmdocks(node) && !found && strcmp((const char *)node->name, "vm") == 0) {
            found = TRUE;
            good = take_vm(domain->spec, node, error);
        }
    }
    domain_take_all(metadata);
    return good;
}
