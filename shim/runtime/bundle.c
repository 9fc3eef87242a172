// SPDX-License-Identifier: Apache-2.0
#include "bundle.h"

#include "plain.h"

#include <string.h>

enum { ID_LENGTH = 64 };

/* A stretch of the text; END is behind its last byte. */
typedef struct {
    const char *begin, *end;
} Span;

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0)
                return at;
            depth--;
            at++;
        } else if (depth == 0 && (*at == ',' || skip_blanks(at, end) != at)) {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return end;
}

/*
 * Finds KEY in OBJECT. MEMBER is from the key to the end of the value. The text has passed the
 * parser; a key that is spelt with escapes is not found, which ends in a refusal.
 */
static bool find_member(Span object, const char *key, Span *member, Span *value)
{
    const char *at = skip_blanks(object.begin, object.end), *end = object.end;
    if (at == end || *at != '{')
        return false;
    for (at = skip_blanks(at + 1, end); at < end && *at == '"'; at = skip_blanks(at + 1, end)) {
        const char *name = at;
        at = skip_string(at, end);
        size_t length = (size_t)(at - name);
        at = skip_blanks(at, end);
        if (at == end || *at != ':')
            return false;
        *value = (Span){.begin = skip_blanks(at + 1, end)};
        value->end = at = skip_value(value->begin, end);
        *member = (Span){name, at};
        if (length == strlen(key) + 2 && strncmp(name + 1, key, length - 2) == 0)
            return true;
        at = skip_blanks(at, end);
        if (at == end || *at != ',')
            return false;
    }
    return false;
}

/* MEMBER with the comma that goes with it. */
static Span with_comma(Span member, Span object)
{
    const char *behind = skip_blanks(member.end, object.end);
    if (behind < object.end && *behind == ',')
        return (Span){member.begin, behind + 1};
    const char *before = member.begin;
    while (before > object.begin && skip_blanks(before - 1, before) == before)
        before--;
    if (before > object.begin && before[-1] == ',')
        before--;
    return (Span){before, member.end};
}

/* The string's text; NULL if it is none, or holds a NUL that would hide what follows. */
static const char *text_of(const json_t *json)
{
    const char *text = json_string_value(json);
    return text && strlen(text) == json_string_length(json) ? text : NULL;
}

/* PATH without empty and "." parts and with ".." followed, and without the slash in front. */
static char *clean_path(const char *path)
{
    char *clean = plain_memory(strlen(path) + 1), *to = clean;
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length == 2 && strncmp(at, "..", 2) == 0) {
            while (to > clean && *--to != '/')
                continue;
        } else if (length > 0 && !(length == 1 && *at == '.')) {
            if (to > clean)
                *to++ = '/';
            to = mempcpy(to, at, length);
        }
        at += length;
    }
    *to = '\0';
    return clean;
}

static bool is_below(const char *path, const char *parent)
{
    size_t length = strlen(parent);
    return strncmp(path, parent, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The slice of the systemd driver that stands for PARENT; NULL where none can. */
static char *slice_of(const char *parent)
{
    static const char suffix[] = ".slice";
    size_t length = strlen(parent), tail = sizeof suffix - 1;
    if (strchr(parent, '/'))
        return NULL;
    bool has_suffix = length > tail && strcmp(parent + length - tail, suffix) == 0;
    return plain_print("%s%s", parent, has_suffix ? "" : suffix);
}

static bool id_fit(const char *id)
{
    return id && strlen(id) == ID_LENGTH && strspn(id, "0123456789abcdef") == ID_LENGTH;
}

static BundleOwner owner_of_path(const char *path, const char *cgroup_parent, const char *id,
                                 char **error)
{
    autofree char *parent = clean_path(cgroup_parent);
    autofree char *slice = slice_of(parent);
    autofree char *clean = clean_path(path);
    size_t slice_length = slice ? strlen(slice) : 0;
    bool in_slice = slice && strncmp(path, slice, slice_length) == 0 && path[slice_length] == ':';
    if (!in_slice && !is_below(clean, parent))
        return BUNDLE_FOREIGN;
    if (!id_fit(id)) {
        plain_fail(error,
                   "it is to run in vmdock's cgroup parent %s, but its id is not one of the engine",
                   cgroup_parent);
        return BUNDLE_REFUSED;
    }
    autofree char *right =
        in_slice ? plain_print("%s:docker:%s", slice, id)
                 : plain_print("%s%s/%s", *cgroup_parent == '/' ? "/" : "", parent, id);
    if (strcmp(path, right) == 0)
        return BUNDLE_OURS;
    plain_fail(error,
               "it is to run in vmdock's cgroup parent %s, but not in the cgroup of its own id",
               cgroup_parent);
    return BUNDLE_REFUSED;
}

BundleOwner bundle_owner(const char *text, size_t length, const char *cgroup_parent, const char *id,
                         char **error)
{
    /* As reals, because the tree is only looked at: an unlimited rlimit does not fit an integer. */
    json_error_t fault;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    autojson json_t *root = json_loadb(text, length, flags, &fault);
    if (!json_is_object(root)) {
        plain_fail(error, "config.json is not a JSON object (line %d, column %d)",
                   root ? 1 : fault.line, root ? 1 : fault.column);
        return BUNDLE_REFUSED;
    }
    const json_t *path = json_object_get(json_object_get(root, "linux"), "cgroupsPath");
    if (json_is_string(path) && !text_of(path)) {
        plain_fail(error, "its cgroup path holds a NUL byte");
        return BUNDLE_REFUSED;
    }
    return path ? owner_of_path(text_of(path) ? text_of(path) : "", cgroup_parent, id, error)
                : BUNDLE_FOREIGN;
}

/* Loads one stretch of the text with its integers exact. */
static json_t *load_span(Span span)
{
    return json_loadb(span.begin, (size_t)(span.end - span.begin),
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

static json_t *find_namespace(const json_t *namespaces, const char *type, size_t *count)
{
    json_t *entry, *found = NULL;
    size_t i;
    *count = 0;
    json_array_foreach (namespaces, i, entry) {
        const char *is = text_of(json_object_get(entry, "type"));
        if (is && strcmp(is, type) == 0) {
            found = entry;
            ++*count;
        }
    }
    return found;
}

static bool set_netns(json_t *namespaces, const char *netns, char **error)
{
    size_t users, count;
    find_namespace(namespaces, "user", &users);
    if (users > 0)
        return plain_fail(error, "the engine remaps its users (userns-remap), and a container in a"
                                 " user namespace of its own cannot join the VM's sandbox; switch"
                                 " it off for this container's engine");
    json_t *network = find_namespace(namespaces, "network", &count);
    if (count == 0)
        return plain_fail(error, "its container shares the host's network; a VM's is created with"
                                 " network mode \"none\"");
    const json_t *path = json_object_get(network, "path");
    if (count > 1 || (path && !(json_is_string(path) && json_string_length(path) == 0)))
        return plain_fail(error, "its container joins another network namespace already; a VM's is"
                                 " created with network mode \"none\"");
    if (json_object_set_new(network, "path", json_string(netns)) < 0)
        return plain_fail(error, "the path of the sandbox is not UTF-8");
    return true;
}

static bool is_setkey(const json_t *hook)
{
    const char *name = text_of(json_array_get(json_object_get(hook, "args"), 0));
    const char *slash = name ? strrchr(name, '/') : NULL;
    return name && strcmp(slash ? slash + 1 : name, "libnetwork-setkey") == 0;
}

/* Takes the set-key hook out of HOOKS, and what it leaves empty; false if it was not there. */
static bool drop_setkey(json_t *hooks)
{
    json_t *prestart = json_object_get(hooks, "prestart");
    size_t before = json_array_size(prestart);
    for (size_t i = before; i-- > 0;)
        if (is_setkey(json_array_get(prestart, i)))
            json_array_remove(prestart, i);
    if (json_array_size(prestart) == before)
        return false;
    if (json_array_size(prestart) == 0)
        json_object_del(hooks, "prestart");
    return true;
}

/* What stands in place of SPAN; nothing when TEXT is empty. */
typedef struct {
    Span span;
    char *text;
} Edit;

static bool edit_to(Edit *edit, Span span, const json_t *json, char **error)
{
    edit->span = span;
    edit->text = json ? json_dumps(json, JSON_COMPACT) : plain_print("%s", "");
    return edit->text || plain_fail(error, "config.json cannot be written anew");
}

static bool edit_namespaces(Span root, const char *netns, Edit *edit, char **error)
{
    Span member, platform, value;
    if (!find_member(root, "linux", &member, &platform) ||
        !find_member(platform, "namespaces", &member, &value))
        return plain_fail(error, "its container has no namespaces");
    autojson json_t *namespaces = load_span(value);
    if (!json_is_array(namespaces))
        return plain_fail(error, "its container's namespaces are no list");
    return set_netns(namespaces, netns, error) && edit_to(edit, value, namespaces, error);
}

static bool edit_hooks(Span root, Edit *edit, char **error)
{
    Span member, value;
    if (!find_member(root, "hooks", &member, &value) || value.begin == value.end ||
        *value.begin != '{')
        return true;
    autojson json_t *hooks = load_span(value);
    if (!hooks)
        return plain_fail(error, "its container's hooks cannot be read");
    if (!drop_setkey(hooks))
        return true;
    if (json_object_size(hooks) == 0)
        return edit_to(edit, with_comma(member, root), NULL, error);
    return edit_to(edit, value, hooks, error);
}

/* Behind the last of the engine's mounts: what is mounted later lies over what was before. */
static bool edit_mounts(Span root, const BundleChange *change, Edit *edit, char **error)
{
    Span member, value;
    if (!find_member(root, "mounts", &member, &value) || value.begin == value.end ||
        *value.begin != '[')
        return plain_fail(error, "its container has no list of mounts");
    const char *end = value.end - 1;
    bool empty = skip_blanks(value.begin + 1, end) == end;
    autojson json_t *list = json_array();
    for (size_t i = 0; i < change->mount_count; i++) {
        const BundleMount *mount = &change->mounts[i];
        json_t *json =
            json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination", mount->destination,
                      "type", "bind", "source", mount->source, "options", "bind", "rprivate",
                      "nodev", "nosuid", mount->read_only ? "ro" : "rw");
        if (!json || json_array_append_new(list, json) < 0)
            return plain_fail(error, "the place of a disk is not UTF-8");
    }
    if (!edit_to(edit, (Span){end, end}, list, error))
        return false;
    /* Its own brackets go; the comma stands where there was something before. */
    size_t length = strlen(edit->text);
    edit->text[length - 1] = '\0';
    edit->text[0] = empty ? ' ' : ',';
    return true;
}

static void sort_edits(Edit *edits, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && edits[j].span.begin < edits[j - 1].span.begin; j--) {
            Edit earlier = edits[j];
            edits[j] = edits[j - 1];
            edits[j - 1] = earlier;
        }
}

static char *append(char *to, const char *from, const char *end)
{
    return mempcpy(to, from, (size_t)(end - from));
}

/* The stretches of EDITS do not overlap. */
static char *apply(Span root, Edit *edits, size_t count, size_t *length)
{
    size_t room = (size_t)(root.end - root.begin) + 1;
    for (size_t i = 0; i < count; i++)
        room += edits[i].text ? strlen(edits[i].text) : 0;
    sort_edits(edits, count);
    char *text = plain_memory(room), *to = text;
    const char *from = root.begin;
    for (size_t i = 0; i < count; i++) {
        to = append(to, from, edits[i].span.begin);
        if (edits[i].text)
            to = append(to, edits[i].text, edits[i].text + strlen(edits[i].text));
        from = edits[i].span.end;
    }
    to = append(to, from, root.end);
    *to = '\0';
    *length = (size_t)(to - text);
    return text;
}

enum { NAMESPACES, HOOKS, MOUNTS, EDITS };

char *bundle_join(const char *text, size_t length, const BundleChange *change,
                  size_t *joined_length, char **error)
{
    Span root = {text, text + length};
    Edit edits[EDITS];
    for (size_t i = 0; i < EDITS; i++)
        edits[i] = (Edit){.span = {root.end, root.end}};
    bool made = edit_namespaces(root, change->netns, &edits[NAMESPACES], error) &&
                (change->keep_hook || edit_hooks(root, &edits[HOOKS], error)) &&
                (change->mount_count == 0 || edit_mounts(root, change, &edits[MOUNTS], error));
    char *joined = made ? apply(root, edits, EDITS, joined_length) : NULL;
    for (size_t i = 0; i < EDITS; i++)
        free(edits[i].text);
    return joined;
}
