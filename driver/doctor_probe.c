// SPDX-License-Identifier: Apache-2.0
/* The reads that several probes share: paths, small files, programs, room. */
#include "actions.h"
#include "disk.h"
#include "doctor_facts.h"
#include "engine_body.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { MAX_TEXT = 16 * 1024 * 1024, MAX_REASON = 200 };

void doctor_probe_text(DoctorText *fact, const char *path)
{
    g_autoptr(GError) error = NULL;
    fact->text = file_read(path, MAX_TEXT, NULL, &error);
    if (!fact->text)
        fact->unknown = g_strdup(error->message);
}

/* In a folder with the sticky bit, root's entries are root's. */
static gboolean others_may_write(const struct stat *st)
{
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) && st->st_uid == 0)
        return FALSE;
    return st->st_uid != 0 || (st->st_mode & S_IWOTH) ||
           ((st->st_mode & S_IWGRP) && st->st_gid != 0);
}

static gchar *weakest(const char *path)
{
    char *real = realpath(path, NULL);
    g_autofree gchar *at = g_strdup(real ? real : path);
    free(real);
    for (;;) {
        struct stat st;
        if (stat(at, &st) == 0 && others_may_write(&st))
            return g_steal_pointer(&at);
        g_autofree gchar *above = g_path_get_dirname(at);
        if (g_str_equal(above, at) || g_str_equal(above, "."))
            return NULL;
        g_free(at);
        at = g_steal_pointer(&above);
    }
}

void doctor_probe_path(DoctorPath *fact, const char *path)
{
    struct stat st;
    fact->path = g_strdup(path);
    if (stat(path, &st) < 0) {
        fact->err = errno;
        return;
    }
    fact->mode = st.st_mode;
    fact->uid = st.st_uid;
    fact->gid = st.st_gid;
    fact->weak = weakest(path);
}

void doctor_probe_program(DoctorText *fact, const char *const *argv, guint64 timeout_ms)
{
    g_autofree gchar *printed = NULL;
    g_autofree gchar *said = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;
    gint64 begin = g_get_monotonic_time();
    if (!program_run(argv, NULL, timeout_ms, VMDOCK_ERROR_IO, &printed, &said, &status, &error)) {
        fact->unknown = g_strdup(error->message);
        return;
    }
    log_trace("ran %s: %.1f ms", argv[0],
              (double)(g_get_monotonic_time() - begin) / G_TIME_SPAN_MILLISECOND);
    g_autofree gchar *reason = vmdock_one_line(said, MAX_REASON);
    if (status != 0 && !*printed)
        fact->unknown = g_strdup_printf("%s: %s", argv[0], *reason ? reason : "it failed");
    else
        fact->text = g_steal_pointer(&printed);
}

/* Of the nearest folder above PATH that is there. */
static void probe_space(DoctorSpace *fact, const char *path)
{
    struct statvfs st;
    fact->path = g_strdup(path);
    g_autofree gchar *at = g_strdup(path);
    while (statvfs(at, &st) < 0) {
        fact->err = errno;
        g_autofree gchar *above = g_path_get_dirname(at);
        if (fact->err != ENOENT || g_str_equal(above, at))
            return;
        g_free(at);
        at = g_steal_pointer(&above);
    }
    fact->err = 0;
    fact->bytes = (guint64)st.f_blocks * st.f_frsize;
    fact->bytes_free = (guint64)st.f_bavail * st.f_frsize;
    fact->files = st.f_files;
    fact->files_free = st.f_favail;
}

/* Names that hold disk 0 of a VM that has no container. */
static gboolean probe_idle_names(DoctorFacts *facts, Host *host, GError **error)
{
    g_autoptr(GPtrArray) containers = engine_list(host->engine, ENGINE_LABEL_VM, error);
    if (!containers)
        return FALSE;
    g_autoptr(GHashTable) held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < containers->len; i++) {
        const EngineContainer *container = g_ptr_array_index(containers, i);
        g_hash_table_add(held, disk_root_name(container->name));
    }
    g_autoptr(GPtrArray) names = engine_image_names(host->engine, DISK_NAME_PREFIX, error);
    if (!names)
        return FALSE;
    facts->idle_names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < names->len; i++)
        if (!g_hash_table_contains(held, g_ptr_array_index(names, i)))
            g_ptr_array_add(facts->idle_names, g_strdup(g_ptr_array_index(names, i)));
    return TRUE;
}

static void probe_engine_networks(DoctorFacts *facts, Host *host)
{
    const GStrv names = facts->config->allow_engine_networks;
    facts->no_networks = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; names && names[i]; i++) {
        gboolean there = FALSE;
        if (strcmp(names[i], "*") != 0 &&
            engine_has_network(host->engine, names[i], &there, NULL) && !there)
            g_ptr_array_add(facts->no_networks, g_strdup(names[i]));
    }
}

static void probe_leftovers(DoctorFacts *facts)
{
    if (facts->engine_trouble) {
        facts->leftovers_trouble = g_strdup("the engine does not answer");
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(Host) host = host_open(facts->config, &error);
    if (!host) {
        facts->leftovers_trouble = g_strdup(error->message);
        return;
    }
    probe_engine_networks(facts, host);
    facts->leftovers = vm_gc(host, TRUE, &error);
    if (!facts->leftovers || !probe_idle_names(facts, host, &error))
        facts->leftovers_trouble = g_strdup(error->message);
}

DoctorFacts *doctor_facts_read(const Config *config, const GError *trouble)
{
    DoctorFacts *facts = g_new0(DoctorFacts, 1);
    facts->config = config;
    facts->config_trouble = trouble ? g_strdup(trouble->message) : NULL;
    doctor_probe_path(&facts->config_file, config->path);
    doctor_probe_path(&facts->credentials, config->engine_credentials);
    doctor_probe_engine(facts);
    doctor_probe_kernel(facts);
    doctor_probe_network(facts);
    doctor_probe_cloud(facts);
    doctor_probe_path(&facts->state_dir, config->state_dir);
    doctor_probe_path(&facts->run_dir, config->run_dir);
    probe_leftovers(facts);
    probe_space(&facts->state_space, config->state_dir);
    const char *root = json_string_value(json_object_get(facts->engine_info, "DockerRootDir"));
    if (root)
        probe_space(&facts->engine_space, root);
    return facts;
}

static void path_clear(DoctorPath *path)
{
    g_free(path->path);
    g_free(path->weak);
}

static void text_clear(DoctorText *text)
{
    g_free(text->text);
    g_free(text->unknown);
}

void doctor_facts_free(DoctorFacts *facts)
{
    DoctorPath *paths[] = {&facts->config_file,  &facts->credentials, &facts->engine_socket,
                           &facts->loop,         &facts->fuse,        &facts->mkfs,
                           &facts->image_server, &facts->runtime,     &facts->runtime_real,
                           &facts->agent,        &facts->remotes,     &facts->remotes_deploy,
                           &facts->state_dir,    &facts->run_dir,     &facts->skopeo};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
        path_clear(paths[i]);
    DoctorText *texts[] = {&facts->cgroup_controllers,
                           &facts->rules[0],
                           &facts->rules[1],
                           &facts->nft,
                           &facts->own_mounts,
                           &facts->engine_mounts,
                           &facts->sudo,
                           &facts->ovs,
                           &facts->libvirt};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        text_clear(texts[i]);
    gchar *strings[] = {
        facts->config_trouble,   facts->engine_trouble,    facts->engine_version,
        facts->engine_api,       facts->info_trouble,      facts->engine_socket_group,
        facts->netns_trouble,    facts->veth_trouble,      facts->bridge_trouble,
        facts->ifb_trouble,      facts->cgroup_trouble,    facts->links_trouble,
        facts->netns_path,       facts->leftovers_trouble, facts->state_space.path,
        facts->engine_space.path};
    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(strings[i]);
    g_clear_pointer(&facts->engine_info, json_decref);
    g_clear_pointer(&facts->bridges, g_ptr_array_unref);
    g_clear_pointer(&facts->filter_wanted, g_hash_table_unref);
    g_clear_pointer(&facts->leftovers, g_ptr_array_unref);
    g_clear_pointer(&facts->idle_names, g_ptr_array_unref);
    g_clear_pointer(&facts->no_networks, g_ptr_array_unref);
    g_strfreev(facts->user_groups);
    g_free(facts);
}
