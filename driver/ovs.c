// SPDX-License-Identifier: Apache-2.0
#include "ovs.h"

#include "autoptr.h"
#include "error.h"
#include "interrupt.h"
#include "log.h"
#include "program.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { MAX_SENTENCE = 400 };

/* external_ids of a port: the deploy id; of its QoS record also the port. */
#define MARK      "vmdock"
#define MARK_PORT "port"
/* Of a port whose VLAN is the description's: what that does not say any more must go. */
#define MARK_VLAN "vmdock-vlan"

static const char speaker[] = "ovs-vsctl: ";

/* ---- what it says ---------------------------------------------------------------------------- */

/* The first line of ovs-vsctl's own: others are log lines, and advice where more of them are. */
gchar *ovs_complaint(const char *words)
{
    g_auto(GStrv) lines = g_strsplit(words, "\n", -1);
    const char *chosen = "";
    for (gsize i = 0; lines[i] && !g_str_has_prefix(chosen, speaker); i++)
        if (*lines[i])
            chosen = lines[i];
    if (g_str_has_prefix(chosen, speaker))
        chosen += strlen(speaker);
    gchar *line = vmdock_one_line(chosen, MAX_SENTENCE);
    g_strchomp(line);
    if (g_str_has_suffix(line, "."))
        line[strlen(line) - 1] = '\0';
    return line;
}

static gboolean refused(const char *words, GError **error)
{
    g_autofree gchar *line = ovs_complaint(words);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK, "Open vSwitch: %s",
                *line ? line : "ovs-vsctl failed without a word");
    return FALSE;
}

/* It ends itself by SIGALRM when its own clock, which counts seconds, is the faster one. */
static gboolean too_late(const Config *config, GError **error)
{
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "Open vSwitch did not answer within %" G_GUINT64_FORMAT " ms",
                config->ovs_timeout_ms);
    return FALSE;
}

/* ---- asking it ------------------------------------------------------------------------------- */

static void add_words(GPtrArray *argv, const char *const *words)
{
    for (; *words; words++)
        g_ptr_array_add(argv, g_strdup(*words));
}

static GStrv finish_words(GPtrArray *words)
{
    g_ptr_array_add(words, NULL);
    return (GStrv)g_ptr_array_free(words, FALSE);
}

/* Its own clock ends it also where nobody is left to do so. */
static GPtrArray *command(const Config *config, const char *const *words)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(argv, g_strdup(config->ovs_vsctl));
    g_ptr_array_add(argv, g_strdup("--no-syslog"));
    g_ptr_array_add(argv, g_strdup_printf("--db=unix:%s", config->ovs_socket));
    g_ptr_array_add(argv, g_strdup_printf("--timeout=%" G_GUINT64_FORMAT,
                                          (config->ovs_timeout_ms + 999) / 1000));
    add_words(argv, words);
    g_ptr_array_add(argv, NULL);
    return argv;
}

static gboolean run(const Config *config, const char *const *words, gchar **out, gchar **said,
                    GError **error)
{
    g_autoptr(GPtrArray) argv = command(config, words);
    g_autoptr(GError) failure = NULL;
    int status = 0;
    if (!program_run((const char *const *)argv->pdata, NULL, config->ovs_timeout_ms,
                     VMDOCK_ERROR_NETWORK, out, said, &status, &failure)) {
        if (vmdock_error_is(failure, VMDOCK_ERROR_NETWORK))
            return too_late(config, error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return too_late(config, error);
    return status == 0 || refused(*said, error);
}

/* The answer to a question; NULL with ERROR. */
static gchar *ask(const Config *config, const char *const *words, GError **error)
{
    g_autofree gchar *out = NULL, *said = NULL;
    return run(config, words, &out, &said, error) ? g_steal_pointer(&out) : NULL;
}

/* A change of the database. A port that could not be set up is told with status 0. */
static gboolean change(const Config *config, const char *const *words, GError **error)
{
    g_autofree gchar *out = NULL, *said = NULL;
    if (!run(config, words, &out, &said, error))
        return FALSE;
    return !strstr(said, "Error detected while setting up") || refused(said, error);
}

gboolean ovs_serves(const Config *config)
{
    return g_file_test(config->ovs_socket, G_FILE_TEST_EXISTS);
}

gchar *ovs_version(const Config *config, GError **error)
{
    gchar *version = ask(config,
                         (const char *const[]){"--no-wait", "--if-exists", "get", "Open_vSwitch",
                                               ".", "ovs_version", NULL},
                         error);
    if (version)
        g_strdelimit(version, "\"[]\n", ' ');
    return version ? g_strstrip(version) : NULL;
}

/* ---- bridges --------------------------------------------------------------------------------- */

/* Two lines: the bridge that moves the packets, which for a VLAN's is another one, and how; the
 * second is missing for a VLAN's. */
static gchar *ask_bridge(const Config *config, const char *bridge, GError **error)
{
    g_autoptr(GError) failure = NULL;
    gchar *answer =
        ask(config,
            (const char *const[]){"--no-wait", "br-to-parent", bridge, "--", "--if-exists", "get",
                                  "Bridge", bridge, "datapath_type", NULL},
            &failure);
    if (answer)
        return answer;
    if (failure && strstr(failure->message, "no bridge named"))
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE,
                    "Open vSwitch has no bridge %s; make it on this host or mend the network's "
                    "BRIDGE in the cloud",
                    bridge);
    else
        g_propagate_prefixed_error(error, g_steal_pointer(&failure), "bridge %s: ", bridge);
    return NULL;
}

/* *below is the bridge that moves the packets, where that is another one. */
static gboolean look_at_bridge(const Config *config, const char *bridge, gchar **below,
                               gboolean *userspace, GError **error)
{
    g_autofree gchar *answer = ask_bridge(config, bridge, error);
    if (!answer)
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(g_strchomp(answer), "\n", 2);
    if (lines[0] && strcmp(lines[0], bridge) != 0)
        *below = g_strdup(lines[0]);
    *userspace = lines[0] && lines[1] && strcmp(lines[1], "netdev") == 0;
    return TRUE;
}

gboolean ovs_bridge_find(const Config *config, const char *bridge, gboolean *userspace,
                         GError **error)
{
    g_autofree gchar *below = NULL, *bottom = NULL;
    if (*bridge == '-') {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NO_BRIDGE,
                    "%s is no name for a bridge of Open vSwitch", bridge);
        return FALSE;
    }
    if (!look_at_bridge(config, bridge, &below, userspace, error) ||
        (below && !look_at_bridge(config, below, &bottom, userspace, error)))
        return FALSE;
    if (!bottom)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "Open vSwitch: which bridge %s stands on cannot be made out", bridge);
    return FALSE;
}

/* ---- ports ----------------------------------------------------------------------------------- */

void ovs_port_free(OvsPort *port)
{
    g_free(port->name);
    g_free(port->owner);
    g_ptr_array_unref(port->qos);
    g_free(port);
}

static OvsPort *port_named(GPtrArray *ports, const char *name, const char *owner)
{
    for (guint i = 0; i < ports->len; i++) {
        OvsPort *port = g_ptr_array_index(ports, i);
        if (strcmp(port->name, name) == 0 && strcmp(port->owner, owner) == 0)
            return port;
    }
    OvsPort *port = g_new0(OvsPort, 1);
    port->name = g_strdup(name);
    port->owner = g_strdup(owner);
    port->qos = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(ports, port);
    return port;
}

/* Of ["map", [["key", "value"], …]]; NULL when KEY is not in it. */
static const char *map_value(const json_t *map, const char *key)
{
    const json_t *pairs = json_array_get(map, 1);
    for (gsize i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *name = json_string_value(json_array_get(pair, 0));
        if (name && strcmp(name, key) == 0)
            return json_string_value(json_array_get(pair, 1));
    }
    return NULL;
}

/* A row of Port is [name, external_ids]; one of QoS [["uuid", uuid], external_ids]. */
static void take_row(GPtrArray *ports, const json_t *row)
{
    const json_t *first = json_array_get(row, 0), *ids = json_array_get(row, 1);
    const char *owner = map_value(ids, MARK);
    const char *name = json_string_value(first);
    const char *uuid = json_string_value(json_array_get(first, 1));
    const char *of = uuid ? map_value(ids, MARK_PORT) : NULL;
    if (owner && name)
        port_named(ports, name, owner)->there = TRUE;
    else if (owner && of)
        g_ptr_array_add(port_named(ports, of, owner)->qos, g_strdup(uuid));
}

GPtrArray *ovs_parse_ports(const char *text, GError **error)
{
    g_autoptr(GPtrArray) ports = g_ptr_array_new_with_free_func((GDestroyNotify)ovs_port_free);
    while (*(text += strspn(text, " \n"))) {
        json_error_t where;
        g_autoptr(json_t) table = json_loads(text, JSON_DISABLE_EOF_CHECK, &where);
        const json_t *rows = json_object_get(table, "data");
        if (!json_is_array(rows)) {
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                        "ovs-vsctl printed what is no table of ports");
            return NULL;
        }
        for (gsize i = 0; i < json_array_size(rows); i++)
            take_row(ports, json_array_get(rows, i));
        text += where.position;
    }
    return g_steal_pointer(&ports);
}

GPtrArray *ovs_ports(const Config *config, const char *deploy_id, GError **error)
{
    g_autofree gchar *mark = deploy_id ? g_strdup_printf("external_ids:" MARK "=\"%s\"", deploy_id)
                                       : g_strdup("external_ids:" MARK "!=\"\"");
    g_autofree gchar *answer =
        ask(config,
            (const char *const[]){"--no-wait", "--format=json", "--", "--columns=name,external_ids",
                                  "find", "Port", mark, "--", "--columns=_uuid,external_ids",
                                  "find", "QoS", mark, NULL},
            error);
    return answer ? ovs_parse_ports(answer, error) : NULL;
}

/* *own tells whether there is one of that name and it is this VM's; another's is an error. *stale:
 * it is in a VLAN that its description does not name any more. */
static gboolean find_own(const Config *config, const char *deploy_id, const VmNic *nic,
                         gboolean *own, gboolean *stale, GError **error)
{
    g_autofree gchar *name = g_strdup_printf("name=\"%s\"", nic->host_name);
    g_autofree gchar *answer =
        ask(config,
            (const char *const[]){"--no-wait", "--format=json", "--columns=name,external_ids",
                                  "find", "Port", name, NULL},
            error);
    json_t *table = answer ? json_loads(answer, 0, NULL) : NULL;
    g_autoptr(json_t) keep = table;
    const json_t *row = json_array_get(json_object_get(table, "data"), 0);
    const char *owner = row ? map_value(json_array_get(row, 1), MARK) : NULL;
    *own = g_strcmp0(owner, deploy_id) == 0;
    *stale = row && map_value(json_array_get(row, 1), MARK_VLAN) && !vm_vlan_any(&nic->vlan);
    if (!answer)
        return FALSE;
    if (!row || *own)
        return TRUE;
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                "Open vSwitch has another port of this name (external_ids:" MARK
                " \"%s\"), and it is not this VM's to replace",
                owner ? owner : "");
    return FALSE;
}

/* A value as the database's own notation has it. */
static gchar *quoted(const char *key, const char *value)
{
    g_autoptr(json_t) string = json_string(value);
    char *text = json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    gchar *pair = g_strconcat(key, text, NULL);
    free(text);
    return pair;
}

static void add_pair(GPtrArray *words, const char *key, const char *value)
{
    g_ptr_array_add(words, quoted(key, value));
}

/* All that there is, so that nothing is left of another VLAN. */
static void add_vlan(GPtrArray *words, const VmVlan *vlan)
{
    const char *mode = !vlan->trunks         ? "access"
                       : vlan->tag == 0      ? "trunk"
                       : vlan->native_tagged ? "native-tagged"
                                             : "native-untagged";
    if (!vm_vlan_any(vlan))
        return;
    g_ptr_array_add(words, vlan->tag ? g_strdup_printf("tag=%u", vlan->tag) : g_strdup("tag=[]"));
    g_ptr_array_add(words, g_strdup_printf("trunks=%s", vlan->trunks ? vlan->trunks : "[]"));
    g_ptr_array_add(words, g_strdup_printf("vlan_mode=%s", mode));
    add_pair(words, "external_ids:" MARK_VLAN "=", "yes");
}

/* A new one must not be there: between the question whose it is and this nobody may slip in. */
static void add_port(GPtrArray *words, const char *deploy_id, const VmNic *nic, gboolean fresh)
{
    if (!fresh)
        g_ptr_array_add(words, g_strdup("--may-exist"));
    add_words(words, (const char *const[]){"add-port", nic->bridge, nic->host_name, "--", "set",
                                           "Port", nic->host_name, NULL});
    add_pair(words, "external_ids:" MARK "=", deploy_id);
    add_vlan(words, &nic->vlan);
}

static void add_interface(GPtrArray *words, const char *deploy_id, const VmNic *nic)
{
    add_words(words, (const char *const[]){"--", "set", "Interface", nic->host_name, NULL});
    if (nic->has_mac) {
        g_autofree gchar *mac = vm_mac_format(nic->mac);
        add_pair(words, "external_ids:attached-mac=", mac);
    }
    add_pair(words, "external_ids:iface-id=", nic->host_name);
    add_pair(words, "external_ids:vm-id=", deploy_id);
    add_words(words, (const char *const[]){"external_ids:iface-status=active", NULL});
}

static void add_qos(GPtrArray *words, const char *deploy_id, const VmNic *nic)
{
    add_words(words, (const char *const[]){"qos=@none", "--", "--id=@none", "create", "QoS",
                                           "type=linux-noop", NULL});
    add_pair(words, "external_ids:" MARK "=", deploy_id);
    add_pair(words, "external_ids:" MARK_PORT "=", nic->host_name);
}

GStrv ovs_plug_words(const char *deploy_id, const VmNic *nic, gboolean fresh)
{
    GPtrArray *words = g_ptr_array_new();
    add_port(words, deploy_id, nic, fresh);
    if (fresh)
        add_qos(words, deploy_id, nic);
    add_interface(words, deploy_id, nic);
    return finish_words(words);
}

static gboolean plug(const Config *config, const char *deploy_id, const VmNic *nic, gboolean fresh,
                     GError **error)
{
    g_auto(GStrv) words = ovs_plug_words(deploy_id, nic, fresh);
    return change(config, (const char *const *)words, error);
}

static GPtrArray *ports_of(const Config *config, const char *deploy_id, const char *name,
                           GError **error)
{
    GPtrArray *ports = ovs_ports(config, deploy_id, error);
    for (guint i = ports ? ports->len : 0; i-- > 0;)
        if (strcmp(((const OvsPort *)g_ptr_array_index(ports, i))->name, name) != 0)
            g_ptr_array_remove_index(ports, i);
    return ports;
}

static gboolean clear(const Config *config, const char *deploy_id, const VmNic *nic, GError **error)
{
    g_autoptr(GPtrArray) ports = ports_of(config, deploy_id, nic->host_name, error);
    return ports && ovs_remove(config, ports, error);
}

gboolean ovs_plug(const Config *config, const char *deploy_id, const VmNic *nic, GError **error)
{
    gboolean own = FALSE, stale = FALSE;
    if (!interrupt_check(error) || !find_own(config, deploy_id, nic, &own, &stale, error))
        return FALSE;
    if (own && !stale && plug(config, deploy_id, nic, FALSE, NULL))
        return TRUE;
    return (!own || clear(config, deploy_id, nic, error)) &&
           plug(config, deploy_id, nic, TRUE, error);
}

static gboolean delete_ports(const Config *config, const GPtrArray *ports, gboolean wait,
                             GError **error)
{
    GPtrArray *words = g_ptr_array_new();
    if (!wait)
        g_ptr_array_add(words, g_strdup("--no-wait"));
    for (guint i = 0; i < ports->len; i++) {
        const OvsPort *port = g_ptr_array_index(ports, i);
        if (port->there)
            add_words(words,
                      (const char *const[]){"--", "--if-exists", "del-port", port->name, NULL});
    }
    g_auto(GStrv) list = finish_words(words);
    return change(config, (const char *const *)list, error);
}

/* Apart, for the database refuses it in one step: only the next one finds the ports gone. */
static gboolean delete_qos(const Config *config, const GPtrArray *ports, GError **error)
{
    GPtrArray *words = g_ptr_array_new();
    g_ptr_array_add(words, g_strdup("--no-wait"));
    for (guint i = 0; i < ports->len; i++) {
        const OvsPort *port = g_ptr_array_index(ports, i);
        for (guint j = 0; j < port->qos->len; j++)
            add_words(words, (const char *const[]){"--", "--if-exists", "destroy", "QoS",
                                                   g_ptr_array_index(port->qos, j), NULL});
    }
    gboolean none = words->len == 1;
    g_auto(GStrv) list = finish_words(words);
    return none || change(config, (const char *const *)list, error);
}

static gboolean any_there(const GPtrArray *ports)
{
    for (guint i = 0; i < ports->len; i++)
        if (((const OvsPort *)g_ptr_array_index(ports, i))->there)
            return TRUE;
    return FALSE;
}

/* The database has forgotten them even where ovs-vswitchd, which is waited for, does not hear. */
gboolean ovs_remove(const Config *config, const GPtrArray *ports, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (any_there(ports) && !delete_ports(config, ports, TRUE, &failure)) {
        if (!delete_ports(config, ports, FALSE, error))
            return FALSE;
        log_warn("ports are out of the database, and ovs-vswitchd takes no notice: %s",
                 failure->message);
    }
    return delete_qos(config, ports, error);
}
