// SPDX-License-Identifier: Apache-2.0
#include "spec_opennebula_private.h"

#include <string.h>

enum { MAX_SERVERS = 16, MAX_DOMAINS = 32, MAX_DOMAIN = 253, MAX_LABEL = 63 };

static gboolean label_valid(const char *label)
{
    gsize length = strlen(label);
    if (length == 0 || length > MAX_LABEL || *label == '-' || label[length - 1] == '-')
        return FALSE;
    for (const char *p = label; *p; p++)
        if (!g_ascii_isalnum(*p) && *p != '-' && *p != '_')
            return FALSE;
    return TRUE;
}

/* The canonical form of a search domain; NULL when TEXT is none. */
static gchar *domain_text(const char *text)
{
    g_auto(GStrv) labels = g_strsplit(text, ".", -1);
    if (strlen(text) > MAX_DOMAIN)
        return NULL;
    for (char **label = labels; *label; label++)
        if (!label_valid(*label))
            return NULL;
    return g_ascii_strdown(text, -1);
}

static gchar *server_text(const char *text)
{
    VmAddress address;
    if (strchr(text, '/') || !vm_address_parse(text, &address))
        return NULL;
    return vm_address_text(&address);
}

/* A list of words that is being gathered, and how one of them is read. */
typedef struct {
    const char *what, *form;
    gchar *(*read)(const char *text);
    guint most;
    GPtrArray *words;
} Gathering;

static void gather(OneVm *one, Gathering *list, const char *label, const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text ? text : "", " ,;\t\r\n", -1);
    for (char **word = words; *word; word++) {
        g_autofree gchar *plain = **word ? list->read(*word) : NULL;
        g_autofree gchar *shown = spec_shown(*word);
        if (**word == '\0')
            continue;
        if (!plain)
            one_note(one, "%s: the %s \"%s\" is not honoured: it is no %s", label, list->what,
                     shown, list->form);
        else if (g_ptr_array_find_with_equal_func(list->words, plain, g_str_equal, NULL))
            continue;
        else if (list->words->len == list->most)
            one_note(one, "%s: the %s \"%s\" is not honoured: there are %u before it", label,
                     list->what, shown, list->most);
        else
            g_ptr_array_add(list->words, g_steal_pointer(&plain));
    }
}

static void gather_of(OneVm *one, Gathering *list, const GPtrArray *nics, const char *key)
{
    for (guint i = 0; i < nics->len; i++) {
        const OneNic *nic = nics->pdata[i];
        g_autofree gchar *label = one_nic_label(nic);
        g_autofree gchar *own = xml_text(nic->node, key);
        gather(one, list, label, one_context(one, nic->prefix, key));
        gather(one, list, label, own);
    }
}

static GStrv gathered(Gathering *list)
{
    if (list->words->len == 0) {
        g_ptr_array_unref(list->words);
        return NULL;
    }
    g_ptr_array_add(list->words, NULL);
    return (GStrv)g_ptr_array_free(list->words, FALSE);
}

void one_parse_dns(OneVm *one, const GPtrArray *nics, const GPtrArray *aliases)
{
    Gathering servers = {"name server", "address", server_text, MAX_SERVERS, NULL};
    Gathering domains = {"search domain", "domain name", domain_text, MAX_DOMAINS, NULL};
    servers.words = g_ptr_array_new();
    domains.words = g_ptr_array_new();
    gather_of(one, &servers, nics, "DNS");
    gather_of(one, &servers, aliases, "DNS");
    gather(one, &servers, "CONTEXT", g_hash_table_lookup(one->context, "DNS"));
    gather_of(one, &domains, nics, "SEARCH_DOMAIN");
    gather_of(one, &domains, nics, "DOMAIN");
    gather_of(one, &domains, aliases, "SEARCH_DOMAIN");
    gather(one, &domains, "CONTEXT", g_hash_table_lookup(one->context, "SEARCH_DOMAIN"));
    gather(one, &domains, "CONTEXT", g_hash_table_lookup(one->context, "DOMAIN"));
    one->spec->dns = gathered(&servers);
    one->spec->search = gathered(&domains);
}
