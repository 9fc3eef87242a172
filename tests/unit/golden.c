// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/golden.h"

#include "driver/autoptr.h"

#include <stdlib.h>
#include <string.h>

static const GoldenCase cases[] = {
    {"bare", FALSE},
    {"disk-dockerrun", FALSE},
    {"dual-stack", FALSE},
    {"engine-network", FALSE},
    {"everything", FALSE},
    {"host-routes", FALSE},
    {"libvirt-network", FALSE},
    {"not-honoured", FALSE},
    {"one-nic", FALSE},
    {"security-groups", FALSE},
    {"small-4.14", FALSE},
    {"wrapped", FALSE},
    {"deploy-036-pers", TRUE},
    {"deploy-037-nodisk", TRUE},
    {"deploy-full", TRUE},
    {"tm-prebackup_live-001", TRUE},
    {"vmm-attach_disk-001", TRUE},
    {"vmm-attach_nic-002", TRUE},
    {"vmm-cancel-006", TRUE},
    {"vmm-exec-001", TRUE},
    {"vmm-migrate-001", TRUE},
    {"vmm-reboot-001", TRUE},
    {"vmm-reconfigure-007", TRUE},
    {"vmm-resize-001", TRUE},
    {"vmm-resize_disk-001", TRUE},
    {"vmm-restore-002", TRUE},
    {"vmm-shutdown-001", TRUE},
    {"vmm-snapshot_create-001", TRUE},
};

static gchar *records_folder(void)
{
    const char *records = g_getenv("VMDOCK_RECORDS");
    return records && *records ? g_build_filename(records, "opennebula", "xml", NULL) : NULL;
}

gchar *golden_data(const char *path)
{
    const char *folder = g_getenv("VMDOCK_TEST_DATA");
    return g_build_filename(folder ? folder : "tests/data", path, NULL);
}

/* A new message of OpenNebula, or a new input of ours, must not go untested. */
static void check_complete(const char *folder, gboolean recorded)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    g_assert_no_error(error);
    for (const char *file; (file = g_dir_read_name(dir));) {
        if (!g_str_has_suffix(file, ".xml") ||
            (recorded && !g_str_has_prefix(file, "deploy-") && !g_str_has_prefix(file, "vmm-")))
            continue;
        gboolean known = FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
            known = known ||
                    (cases[i].recorded == recorded && strlen(cases[i].name) + 4 == strlen(file) &&
                     g_str_has_prefix(file, cases[i].name));
        if (!known)
            g_error("%s/%s is no golden case", folder, file);
    }
}

const GoldenCase *golden_cases(gsize *count)
{
    g_autofree gchar *records = records_folder();
    g_autofree gchar *own = golden_data("opennebula");
    gsize ours = 0;
    while (!cases[ours].recorded)
        ours++;
    check_complete(own, FALSE);
    if (records)
        check_complete(records, TRUE);
    if (records)
        g_test_message("golden files: %" G_GSIZE_FORMAT " of the project's own, %" G_GSIZE_FORMAT
                       " recorded ones of %s",
                       ours, G_N_ELEMENTS(cases) - ours, records);
    else
        g_test_message("golden files: %" G_GSIZE_FORMAT
                       " of the project's own; the recorded ones are "
                       "left out, VMDOCK_RECORDS is not set",
                       ours);
    *count = records ? G_N_ELEMENTS(cases) : ours;
    return cases;
}

gchar *golden_input(const GoldenCase *golden_case)
{
    g_autofree gchar *file = g_strconcat(golden_case->name, ".xml", NULL);
    g_autofree gchar *folder = golden_case->recorded ? records_folder() : golden_data("opennebula");
    return g_build_filename(folder, file, NULL);
}

gchar *golden_path(const GoldenCase *golden_case, const char *kind)
{
    g_autofree gchar *file = g_strdup_printf("%s.%s.json", golden_case->name, kind);
    g_autofree gchar *folder = golden_data(golden_case->recorded ? "golden/recorded" : "golden");
    return g_build_filename(folder, file, NULL);
}

gchar *golden_read(const char *path, gsize *length)
{
    gchar *text = NULL;
    GError *error = NULL;
    if (!g_file_get_contents(path, &text, length, &error))
        g_error("%s", error->message);
    return text;
}

static void compare(const char *path, const char *made)
{
    g_autoptr(GError) error = NULL;
    if (g_strcmp0(g_getenv("VMDOCK_GOLDEN_UPDATE"), "1") == 0) {
        g_file_set_contents(path, made, -1, &error);
        g_assert_no_error(error);
        g_test_message("written: %s", path);
        return;
    }
    g_autofree gchar *golden = golden_read(path, NULL);
    if (strcmp(made, golden) != 0)
        g_test_message("%s is not what was made:\n%s", path, made);
    g_assert_cmpstr(made, ==, golden);
}

void golden_compare(const char *path, json_t *json)
{
    g_autoptr(json_t) owned = json;
    char *dumped = json_dumps(json, JSON_INDENT(2));
    g_autofree gchar *made = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    compare(path, made);
}

void golden_compare_lines(const char *path, json_t *array)
{
    g_autoptr(json_t) owned = array;
    g_autoptr(GString) made = g_string_new("[");
    gsize index;
    json_t *item;
    json_array_foreach (array, index, item) {
        char *dumped = json_dumps(item, 0);
        g_string_append_printf(made, "%s\n%s", index ? "," : "", dumped);
        free(dumped);
    }
    g_string_append(made, "\n]\n");
    compare(path, made->str);
}

GoldenConfig *golden_config(void)
{
    GoldenConfig *config = g_new0(GoldenConfig, 1);
#define STR(field, group, key, value)                    config->field = g_strdup(value);
#define NUM(field, group, key, value, smallest, largest) config->field = value;
#define BOOL(field, group, key, value)                   config->field = value;
#define LIST(field, group, key)
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
    /* The same wherever it was built for. */
    g_free(config->state_dir);
    config->state_dir = g_strdup("/var/lib/vmdock");
    g_free(config->cgroup_parent);
    config->cgroup_parent = g_strdup("/vmdock");
    return config;
}

void golden_config_free(GoldenConfig *config)
{
#define STR(field, group, key, value) g_free(config->field);
#define NUM(field, group, key, value, smallest, largest)
#define BOOL(field, group, key, value)
#define LIST(field, group, key) g_strfreev(config->field);
    CONFIG_TABLE(STR, NUM, BOOL, LIST)
#undef STR
#undef NUM
#undef BOOL
#undef LIST
    g_free(config);
}
