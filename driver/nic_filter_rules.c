// SPDX-License-Identifier: Apache-2.0
#include "nic_filter_rules.h"

#include "autoptr.h"
#include "error.h"

#include <string.h>

/* The table's own chains, by what their maps are called. */
typedef enum { SPOOFING, OUTBOUND, INBOUND, DIRECTIONS } Direction;

static const struct {
    const char *name, *hook, *key;
    int priority;
} directions[DIRECTIONS] = {
    /* Before connections are followed, so that a forged packet begins none. */
    [SPOOFING] = {"spoofing", "prerouting", "iifname", -300},
    /* After that, and after br_netfilter, which is at 0. */
    [OUTBOUND] = {"outbound", "prerouting", "iifname", 10},
    [INBOUND] = {"inbound", "postrouting", "oifname", 0},
};

/* ---- expressions: each is taken over by what it is put into ---------------------------------- */

static json_t *payload(const char *protocol, const char *field)
{
    return json_pack("{s:{s:s, s:s}}", "payload", "protocol", protocol, "field", field);
}

static json_t *meta(const char *key)
{
    return json_pack("{s:{s:s}}", "meta", "key", key);
}

static json_t *set(json_t *elements)
{
    return json_pack("{s:o}", "set", elements);
}

static json_t *match(const char *op, json_t *left, json_t *right)
{
    return json_pack("{s:{s:s, s:o, s:o}}", "match", "op", op, "left", left, "right", right);
}

static json_t *is(json_t *left, json_t *right)
{
    return match("==", left, right);
}

static json_t *field_is(const char *protocol, const char *field, const char *value)
{
    return is(payload(protocol, field), json_string(value));
}

static json_t *port_is(const char *field, int port)
{
    return is(payload("udp", field), json_integer(port));
}

static json_t *icmp6_is(const char *type)
{
    return field_is("icmpv6", "type", type);
}

/* ---- the transaction ------------------------------------------------------------------------- */

/* A chain or a map of the table. */
static json_t *named(const char *family, const char *name)
{
    return json_pack("{s:s, s:s, s:s}", "family", family, "table", NIC_FILTER_TABLE, "name", name);
}

static void put(json_t *commands, const char *verb, const char *kind, json_t *object)
{
    json_array_append_new(commands, json_pack("{s:{s:o}}", verb, kind, object));
}

static gchar *chain_of(Direction direction, const char *port)
{
    return g_strconcat(port, "-", directions[direction].name, NULL);
}

static void put_rule(json_t *commands, const char *family, const char *chain, json_t *expressions)
{
    put(commands, "add", "rule",
        json_pack("{s:s, s:s, s:s, s:o}", "family", family, "table", NIC_FILTER_TABLE, "chain",
                  chain, "expr", expressions));
}

/* Takes EXPRESSIONS (NULL last) over. */
static void put_expressions(json_t *commands, const char *family, const char *chain,
                            json_t *const *expressions)
{
    json_t *list = json_array();
    for (gsize i = 0; expressions[i]; i++)
        json_array_append_new(list, expressions[i]);
    put_rule(commands, family, chain, list);
}

#define ADD_RULE(commands, family, chain, ...)                                                     \
    put_expressions(commands, family, chain, (json_t *const[]){__VA_ARGS__, NULL})

static json_t *verdict(const char *word)
{
    return json_pack("{s:n}", word);
}

/* One NIC's chain in one direction, being written. */
typedef struct {
    json_t *commands;
    const VmNic *nic;
    const char *chain;
    NicFilterTracking tracking;
} Chain;

#define PASS(to, ...)                                                                              \
    ADD_RULE((to)->commands, "bridge", (to)->chain, __VA_ARGS__, verdict("accept"))
#define DROP(to, ...) ADD_RULE((to)->commands, "bridge", (to)->chain, __VA_ARGS__, verdict("drop"))

static void drop_the_rest(const Chain *to)
{
    ADD_RULE(to->commands, "bridge", to->chain, verdict("drop"));
}

/* ---- a VM's own addresses -------------------------------------------------------------------- */

/* "0xfe80…": bytes as nftables takes them where it does not know that they are an address. */
static gchar *plain_number(const guint8 *bytes, gsize count)
{
    g_autoptr(GString) text = g_string_new("0x");
    for (gsize i = 0; i < count; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gchar *plain_address(const VmAddress *address)
{
    return plain_number(address->bytes, sizeof address->bytes);
}

/* The link-local address that the kernel makes of a MAC (EUI-64). */
static VmAddress link_local(const guint8 mac[6])
{
    VmAddress address = {.family = AF_INET6, .prefix = 128, .bytes = {0xfe, 0x80}};
    const guint8 tail[] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(address.bytes + 8, tail, sizeof tail);
    return address;
}

/* The NIC's addresses of FAMILY as strings, made by TEXT_OF. */
static json_t *addresses(const VmNic *nic, int family, gchar *(*text_of)(const VmAddress *))
{
    json_t *list = json_array();
    for (guint i = 0; i < nic->addresses->len; i++) {
        const VmAddress *address = &g_array_index(nic->addresses, VmAddress, i);
        g_autofree gchar *text = address->family == family ? text_of(address) : NULL;
        if (text)
            json_array_append_new(list, json_string(text));
    }
    if (family == AF_INET6) {
        VmAddress local = link_local(nic->mac);
        g_autofree gchar *text = text_of(&local);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

/* What makes an IPv6 address one of the NIC's. */
typedef enum {
    LISTED,  /* it is among them */
    LEARNED, /* its last half is made of the MAC, its first was told by a router */
    OWNERSHIPS
} Ownership;

#define LAST_HALF "::ffff:ffff:ffff:ffff"

static gboolean has_ownership(const VmNic *nic, Ownership ownership)
{
    return ownership == LISTED || nic->ip6_mode == VM_IP6_AUTO;
}

enum { HALF = 8, TARGET_AT = 8 /* bytes of ICMPv6 before the address that it speaks of */ };

static VmAddress last_half(const VmNic *nic)
{
    VmAddress address = link_local(nic->mac);
    memset(address.bytes, 0, HALF);
    return address;
}

static json_t *source_is_own(const VmNic *nic, Ownership ownership)
{
    json_t *source = payload("ip6", "saddr");
    if (ownership == LISTED)
        return is(source, set(addresses(nic, AF_INET6, vm_address_text)));
    VmAddress half = last_half(nic);
    g_autofree gchar *text = vm_address_text(&half);
    return is(json_pack("{s:[o, s]}", "&", source, LAST_HALF), json_string(text));
}

static json_t *bits(int first_byte, int bytes)
{
    return json_pack("{s:{s:s, s:i, s:i}}", "payload", "base", "th", "offset", first_byte * 8,
                     "len", bytes * 8);
}

/* The address that a neighbour message speaks of. */
static json_t *target_is_own(const VmNic *nic, Ownership ownership)
{
    if (ownership == LISTED)
        return is(bits(TARGET_AT, 2 * HALF), set(addresses(nic, AF_INET6, plain_address)));
    VmAddress half = last_half(nic);
    g_autofree gchar *text = plain_number(half.bytes + HALF, HALF);
    return is(bits(TARGET_AT + HALF, HALF), json_string(text));
}

/* ---- what comes from the VM: its own addresses alone ----------------------------------------- */

static void pass_arp(const Chain *to, const char *mac)
{
    json_t *own_addresses = addresses(to->nic, AF_INET, vm_address_text);
    if (json_array_size(own_addresses) > 0)
        PASS(to, field_is("ether", "type", "arp"), field_is("arp", "saddr ether", mac),
             is(payload("arp", "saddr ip"), set(json_incref(own_addresses))));
    json_decref(own_addresses);
    /* A probe, before an address is taken: it claims nothing. */
    PASS(to, field_is("ether", "type", "arp"), field_is("arp", "operation", "request"),
         field_is("arp", "saddr ether", mac), field_is("arp", "saddr ip", "0.0.0.0"));
}

static void pass_ip4(const Chain *to)
{
    PASS(to, field_is("ip", "saddr", "0.0.0.0"), field_is("ip", "daddr", "255.255.255.255"),
         port_is("sport", 68), port_is("dport", 67));
    /* To whoever asks for an address only a server speaks, and from its port a server alone. */
    DROP(to, field_is("ether", "type", "ip"), port_is("dport", 68));
    DROP(to, field_is("ether", "type", "ip"), port_is("sport", 67));
    json_t *own_addresses = addresses(to->nic, AF_INET, vm_address_text);
    if (json_array_size(own_addresses) > 0)
        PASS(to, is(payload("ip", "saddr"), set(json_incref(own_addresses))));
    json_decref(own_addresses);
}

/* From no address, before there is one: is it free, where is a router, which groups are heard. */
static void pass_unspecified(const Chain *to)
{
    for (Ownership i = 0; i < OWNERSHIPS; i++)
        if (has_ownership(to->nic, i))
            PASS(to, field_is("ip6", "saddr", "::"), icmp6_is("nd-neighbor-solicit"),
                 target_is_own(to->nic, i));
    PASS(to, field_is("ip6", "saddr", "::"),
         is(payload("icmpv6", "type"),
            set(json_pack("[s, s, s]", "nd-router-solicit", "mld-listener-report",
                          "mld2-listener-report"))));
}

static void pass_ip6(const Chain *to)
{
    DROP(to, icmp6_is("nd-router-advert"));
    DROP(to, field_is("ether", "type", "ip6"), port_is("dport", 546));
    DROP(to, field_is("ether", "type", "ip6"), port_is("sport", 547));
    /* An advertisement takes an address over, as an ARP answer does, whatever its sender is. */
    for (Ownership i = 0; i < OWNERSHIPS; i++)
        for (Ownership j = 0; j < OWNERSHIPS; j++)
            if (has_ownership(to->nic, i) && has_ownership(to->nic, j))
                PASS(to, icmp6_is("nd-neighbor-advert"), target_is_own(to->nic, i),
                     source_is_own(to->nic, j));
    DROP(to, icmp6_is("nd-neighbor-advert"));
    for (Ownership i = 0; i < OWNERSHIPS; i++)
        if (has_ownership(to->nic, i))
            PASS(to, source_is_own(to->nic, i));
    pass_unspecified(to);
}

/*
 * Neither ARP nor IP, above all a frame with a VLAN tag. It must be said: the kernel keeps a tag
 * beside the packet, where a match of IP does not see it.
 */
static void drop_other_frames(const Chain *to)
{
    DROP(to,
         match("!=", payload("ether", "type"), set(json_pack("[s, s, s]", "arp", "ip", "ip6"))));
}

static void write_spoofing(const Chain *to)
{
    g_autofree gchar *mac = vm_mac_format(to->nic->mac);
    drop_other_frames(to);
    DROP(to, match("!=", payload("ether", "saddr"), json_string(mac)));
    pass_arp(to, mac);
    pass_ip4(to);
    if (to->nic->ip6_mode != VM_IP6_OFF)
        pass_ip6(to);
    drop_the_rest(to);
}

/* ---- security groups ------------------------------------------------------------------------- */

static json_t *one_of(const char *protocol, const char *field, json_t *values)
{
    return is(payload(protocol, field), set(values));
}

static json_t *port_set(const GArray *ports)
{
    json_t *elements = json_array();
    for (guint i = 0; i < ports->len; i++) {
        const VmPorts *range = &g_array_index(ports, VmPorts, i);
        json_array_append_new(
            elements, range->first == range->last
                          ? json_integer(range->first)
                          : json_pack("{s:[i, i]}", "range", (int)range->first, (int)range->last));
    }
    return set(elements);
}

static json_t *other_side_is(const VmRule *rule)
{
    g_autofree gchar *first = vm_address_text(&rule->first);
    g_autofree gchar *last = vm_address_text(&rule->last);
    json_t *right = vm_address_same(&rule->first, &rule->last)
                        ? json_string(first)
                        : json_pack("{s:[s, s]}", "range", first, last);
    return is(
        payload(rule->first.family == AF_INET ? "ip" : "ip6", rule->inbound ? "saddr" : "daddr"),
        right);
}

/* By number: nft would look a name up in /etc/protocols, which a host need not have. */
static json_t *protocol_is(int number)
{
    return is(meta("l4proto"), json_integer(number));
}

static void add_icmp(json_t *expressions, const VmRule *rule)
{
    gboolean ip4 = rule->protocol == VM_PROTOCOL_ICMP;
    const char *protocol = ip4 ? "icmp" : "icmpv6";
    json_array_append_new(expressions, field_is("ether", "type", ip4 ? "ip" : "ip6"));
    json_array_append_new(expressions, protocol_is(ip4 ? IPPROTO_ICMP : IPPROTO_ICMPV6));
    if (rule->icmp_type >= 0)
        json_array_append_new(expressions,
                              is(payload(protocol, "type"), json_integer(rule->icmp_type)));
    if (rule->icmp_code >= 0)
        json_array_append_new(expressions,
                              is(payload(protocol, "code"), json_integer(rule->icmp_code)));
}

static void add_protocol(json_t *expressions, const VmRule *rule)
{
    static const int numbers[] = {[VM_PROTOCOL_TCP] = IPPROTO_TCP,
                                  [VM_PROTOCOL_UDP] = IPPROTO_UDP,
                                  [VM_PROTOCOL_ESP] = IPPROTO_ESP};
    if (rule->protocol == VM_PROTOCOL_ICMP || rule->protocol == VM_PROTOCOL_ICMP6)
        add_icmp(expressions, rule);
    else if (rule->protocol == VM_PROTOCOL_ALL && rule->first.family == 0)
        json_array_append_new(expressions,
                              one_of("ether", "type", json_pack("[s, s]", "ip", "ip6")));
    else if (rule->protocol != VM_PROTOCOL_ALL && rule->ports->len > 0)
        json_array_append_new(
            expressions, is(payload(rule->protocol == VM_PROTOCOL_TCP ? "tcp" : "udp", "dport"),
                            port_set(rule->ports)));
    else if (rule->protocol != VM_PROTOCOL_ALL)
        json_array_append_new(expressions, protocol_is(numbers[rule->protocol]));
}

static void pass_rule(const Chain *to, const VmRule *rule)
{
    json_t *expressions = json_array();
    add_protocol(expressions, rule);
    if (rule->first.family != 0)
        json_array_append_new(expressions, other_side_is(rule));
    json_array_append_new(expressions, verdict("accept"));
    put_rule(to->commands, "bridge", to->chain, expressions);
}

static json_t *marked(void)
{
    return is(json_pack("{s:[o, i]}", "&", meta("mark"), NIC_FILTER_MARK_BIT),
              json_integer(NIC_FILTER_MARK_BIT));
}

static json_t *answers(void)
{
    return match("in", json_pack("{s:{s:s}}", "ct", "key", "state"),
                 json_pack("[s, s]", "established", "related"));
}

/* Without these IPv6 does not work at all, so no group can forbid them. */
static json_t *neighbourhood(gboolean inbound)
{
    return inbound ? json_pack("[s, s, s, s, s]", "nd-router-advert", "nd-neighbor-solicit",
                               "nd-neighbor-advert", "nd-redirect", "mld-listener-query")
                   : json_pack("[s, s, s, s, s, s]", "nd-router-solicit", "nd-neighbor-solicit",
                               "nd-neighbor-advert", "mld-listener-report", "mld-listener-done",
                               "mld2-listener-report");
}

static void write_groups(const Chain *to, gboolean inbound)
{
    drop_other_frames(to);
    PASS(to, field_is("ether", "type", "arp"));
    PASS(to, to->tracking == NIC_FILTER_MARK ? marked() : answers());
    PASS(to, one_of("icmpv6", "type", neighbourhood(inbound)));
    for (guint i = 0; i < to->nic->rules->len; i++) {
        const VmRule *rule = to->nic->rules->pdata[i];
        if (!rule->inbound == !inbound)
            pass_rule(to, rule);
    }
    drop_the_rest(to);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void add_table(json_t *commands, const char *family)
{
    put(commands, "add", "table",
        json_pack("{s:s, s:s}", "family", family, "name", NIC_FILTER_TABLE));
}

/* A chain that packets come by, empty, whatever it held. */
static void add_hook(json_t *commands, const char *family, const char *name, const char *hook,
                     int priority)
{
    json_t *chain = named(family, name);
    json_object_set_new(chain, "type", json_string("filter"));
    json_object_set_new(chain, "hook", json_string(hook));
    json_object_set_new(chain, "prio", json_integer(priority));
    json_object_set_new(chain, "policy", json_string("accept"));
    put(commands, "add", "chain", chain);
    put(commands, "flush", "chain", named(family, name));
}

static void add_map(json_t *commands, Direction direction)
{
    json_t *map = named("bridge", directions[direction].name);
    json_object_set_new(map, "type", json_string("ifname"));
    json_object_set_new(map, "map", json_string("verdict"));
    put(commands, "add", "map", map);
}

static void add_direction(json_t *commands, Direction direction)
{
    const char *name = directions[direction].name;
    g_autofree gchar *map = g_strconcat("@", name, NULL);
    add_hook(commands, "bridge", name, directions[direction].hook, directions[direction].priority);
    ADD_RULE(
        commands, "bridge", name,
        json_pack("{s:{s:o, s:s}}", "vmap", "key", meta(directions[direction].key), "data", map));
}

static json_t *mangled(const char *op, gint64 number)
{
    return json_pack("{s:{s:o, s:{s:[o, I]}}}", "mangle", "key", meta("mark"), "value", op,
                     meta("mark"), (json_int_t)number);
}

/*
 * Marks what belongs to a connection, where it comes into a bridge and where the host itself sends
 * it into one. What is routed from elsewhere is marked only after its route was chosen, so that the
 * host's rules for marks see none of it.
 */
static void add_marking(json_t *commands)
{
    static const struct {
        const char *hook, *key;
    } hooks[] = {{"prerouting", "iifkind"}, {"postrouting", "oifkind"}};
    add_table(commands, "inet");
    for (gsize i = 0; i < G_N_ELEMENTS(hooks); i++) {
        const char *name = hooks[i].hook;
        add_hook(commands, "inet", name, name, -150);
        ADD_RULE(commands, "inet", name, is(meta(hooks[i].key), json_string("bridge")),
                 mangled("&", (gint64)(guint32)~NIC_FILTER_MARK_BIT));
        ADD_RULE(commands, "inet", name, is(meta(hooks[i].key), json_string("bridge")), answers(),
                 mangled("|", NIC_FILTER_MARK_BIT));
    }
}

static void put_element(json_t *commands, const char *verb, Direction direction, const char *port)
{
    g_autofree gchar *chain = chain_of(direction, port);
    json_t *element = named("bridge", directions[direction].name);
    json_object_set_new(element, "elem",
                        json_pack("[[s, {s:{s:s}}]]", port, "goto", "target", chain));
    put(commands, verb, "element", element);
}

/* An empty chain of the NIC's, whatever it held. */
static void renew_chain(json_t *commands, const char *chain)
{
    put(commands, "add", "chain", named("bridge", chain));
    put(commands, "flush", "chain", named("bridge", chain));
}

/* What is not there is made first: only so can it be taken away whatever was there. */
static void leave(json_t *commands, Direction direction, const char *port)
{
    g_autofree gchar *chain = chain_of(direction, port);
    renew_chain(commands, chain);
    put_element(commands, "add", direction, port);
    put_element(commands, "delete", direction, port);
    put(commands, "delete", "chain", named("bridge", chain));
}

static gboolean takes_part(const VmNic *nic, Direction direction, VmFilter filter)
{
    return filter != VM_FILTER_OFF &&
           (direction == SPOOFING || (filter == VM_FILTER_FULL && nic->rules));
}

static void enter(json_t *commands, Direction direction, const VmNic *nic,
                  NicFilterTracking tracking)
{
    g_autofree gchar *chain = chain_of(direction, nic->host_name);
    Chain to = {commands, nic, chain, tracking};
    renew_chain(commands, chain);
    if (direction == SPOOFING)
        write_spoofing(&to);
    else
        write_groups(&to, direction == INBOUND);
    put_element(commands, "add", direction, nic->host_name);
}

static gboolean any_takes_part(const GPtrArray *nics, Direction direction, VmFilter filter)
{
    for (guint i = 0; i < nics->len; i++)
        if (takes_part(nics->pdata[i], direction, filter))
            return TRUE;
    return FALSE;
}

gboolean nic_filter_tracks(const GPtrArray *nics, VmFilter filter)
{
    return any_takes_part(nics, INBOUND, filter);
}

static json_t *transaction(json_t *commands)
{
    return json_pack("{s:o}", "nftables", commands);
}

json_t *nic_filter_rules(const GPtrArray *nics, VmFilter filter, const char *const *gone,
                         NicFilterTracking tracking)
{
    json_t *commands = json_array();
    add_table(commands, "bridge");
    for (Direction i = 0; i < DIRECTIONS; i++)
        add_map(commands, i);
    for (Direction i = 0; i < DIRECTIONS; i++)
        if (any_takes_part(nics, i, filter))
            add_direction(commands, i);
    if (tracking == NIC_FILTER_MARK && nic_filter_tracks(nics, filter))
        add_marking(commands);
    for (Direction i = 0; i < DIRECTIONS; i++) {
        for (gsize j = 0; gone && gone[j]; j++)
            leave(commands, i, gone[j]);
        for (guint j = 0; j < nics->len; j++) {
            const VmNic *nic = nics->pdata[j];
            if (takes_part(nic, i, filter))
                enter(commands, i, nic, tracking);
            else
                leave(commands, i, nic->host_name);
        }
    }
    return transaction(commands);
}

json_t *nic_filter_no_rules(void)
{
    static const char *const families[] = {"bridge", "inet"};
    json_t *commands = json_array();
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        add_table(commands, families[i]);
        put(commands, "delete", "table",
            json_pack("{s:s, s:s}", "family", families[i], "name", NIC_FILTER_TABLE));
    }
    return transaction(commands);
}

/* ---- what can be filtered -------------------------------------------------------------------- */

/* nftables takes '*' for any end, and '@' for the name of a set. */
static gboolean name_is_plain(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("_.-", *p))
            return FALSE;
    return *name != '\0';
}

static gboolean can_filter(const VmNic *nic, GError **error)
{
    const char *type = nic->bridge_type;
    if (type && *type && strcmp(type, "linux") != 0) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_UNSUPPORTED,
                    "vmdock cannot filter what passes through %s: only bridges of the kernel show "
                    "it to nftables",
                    nic->bridge);
        return FALSE;
    }
    if (!nic->has_mac)
        return spec_fail(error, "it cannot be filtered without a MAC that the cloud knows");
    return name_is_plain(nic->host_name) ||
           spec_fail(error, "it cannot be filtered by a name like that");
}

gboolean nic_filter_check(const GPtrArray *nics, GError **error)
{
    for (guint i = 0; i < nics->len; i++) {
        const VmNic *nic = nics->pdata[i];
        if (can_filter(nic, error))
            continue;
        g_prefix_error(error, "NIC %u (%s): ", nic->id, nic->host_name);
        return FALSE;
    }
    return TRUE;
}

/* ---- what is there --------------------------------------------------------------------------- */

static gchar *element(const char *map, const char *port)
{
    return g_strdup_printf("%s %s", map, port);
}

const char *nic_filter_port(const char *text)
{
    const char *blank = strchr(text, ' ');
    return blank ? blank + 1 : text;
}

static GHashTable *elements_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

GHashTable *nic_filter_elements(const GPtrArray *nics, VmFilter filter)
{
    GHashTable *elements = elements_new();
    for (guint i = 0; i < nics->len; i++)
        for (Direction j = 0; j < DIRECTIONS; j++)
            if (takes_part(nics->pdata[i], j, filter))
                g_hash_table_add(elements, element(directions[j].name,
                                                   ((const VmNic *)nics->pdata[i])->host_name));
    return elements;
}

static gboolean is_ours(const json_t *object, const char *key)
{
    return g_strcmp0(json_string_value(json_object_get(object, "family")), "bridge") == 0 &&
           g_strcmp0(json_string_value(json_object_get(object, key)), NIC_FILTER_TABLE) == 0;
}

/* [["one-42-0", {"goto": …}], …] */
static void take_map(const json_t *map, GHashTable *elements)
{
    const char *name = json_string_value(json_object_get(map, "name"));
    gsize index;
    const json_t *pair;
    json_array_foreach (json_object_get(map, "elem"), index, pair) {
        const char *port = json_string_value(json_array_get(pair, 0));
        if (name && port)
            g_hash_table_add(elements, element(name, port));
    }
}

GHashTable *nic_filter_listed(const char *listing, gboolean *there)
{
    *there = FALSE;
    g_autoptr(json_t) json = json_loads(listing, 0, NULL);
    if (!json)
        return NULL;
    GHashTable *elements = elements_new();
    gsize index;
    const json_t *item;
    json_array_foreach (json_object_get(json, "nftables"), index, item) {
        const json_t *map = json_object_get(item, "map");
        *there = *there || is_ours(json_object_get(item, "table"), "name");
        if (is_ours(map, "table"))
            take_map(map, elements);
    }
    return elements;
}
