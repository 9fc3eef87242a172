// SPDX-License-Identifier: Apache-2.0
#include "setup_opennebula.h"

#include "setup_rc.h"
#include "setup_template.h"

#define DRIVER "onedock"
#define COMMENT                                                                                    \
    "# The driver " DRIVER " of vmdock: containers as virtual machines. By vmdock-setup(8)."

typedef enum { EDIT_VECTOR, EDIT_SINGLE, EDIT_WORD, EDIT_RC_WORD } EditKind;

/* One thing that a file must say. */
typedef struct {
    EditKind kind;
    const char *attribute;
    TemplateVector vector;
    const char *letter, *name; /* of the option that a word stands behind */
    const char *word;          /* also the value of a single attribute */
} Edit;

/* -p: several actions on one host at a time, so that a slow fetch of an image holds up no other VM.
 */
static const TemplatePair vm_mad[] = {
    {"NAME", DRIVER},
    {"SUNSTONE_NAME", "Docker"},
    {"EXECUTABLE", "one_vmm_exec"},
    {"ARGUMENTS", "-t 15 -r 0 -p " DRIVER},
    {"TYPE", "xml"},
    {"KEEP_SNAPSHOTS", "no"},
    {"LIVE_RESIZE", "yes"},
    {"SUPPORT_SHAREABLE", "yes"},
};

/* No DRIVER, which earlier versions had: OpenNebula would put that in the place of every volatile
 * disk's own FORMAT. */
/*
 * Beside system datastores of this driver's: those of OpenNebula's own drivers for files, the one
 * that it is installed with among them. Disk 0 is no file, and takes no space in any.
 */
#define BESIDE(driver)                                                                             \
    {"LN_TARGET_" driver, "NONE"}, {"CLONE_TARGET_" driver, "SYSTEM"},                             \
    {                                                                                              \
        "DISK_TYPE_" driver, "FILE"                                                                \
    }

static const TemplatePair tm_mad_conf[] = {
    {"NAME", DRIVER},
    {"LN_TARGET", "NONE"},
    {"CLONE_TARGET", "SYSTEM"},
    {"SHARED", "YES"},
    {"ALLOW_ORPHANS", "YES"},
    {"DS_MIGRATE", "YES"},
    {"TM_MAD_SYSTEM", "ssh,local,shared,qcow2"},
    BESIDE("SSH"),
    BESIDE("LOCAL"),
    BESIDE("SHARED"),
    BESIDE("QCOW2"),
};

static const TemplatePair tm_mad_conf_gone[] = {{"DRIVER", "raw"}};

static const TemplatePair ds_mad_conf[] = {
    {"NAME", DRIVER},
    {"REQUIRED_ATTRS", ""},
    {"PERSISTENT_ONLY", "NO"},
    {"MARKETPLACE_ACTIONS", "export"},
};

static const TemplatePair im_mad[] = {
    {"NAME", DRIVER},
    {"SUNSTONE_NAME", "Docker"},
    {"EXECUTABLE", "one_im_ssh"},
    {"ARGUMENTS", "-r 3 -t 15 -w 90 " DRIVER},
    {"THREADS", "0"},
};

#define VECTOR(attribute, pairs)                                                                   \
    {                                                                                              \
        EDIT_VECTOR, attribute, {pairs, G_N_ELEMENTS(pairs), NULL, 0}, NULL, NULL, DRIVER          \
    }
#define RENEWED(attribute, pairs, gone)                                                            \
    {                                                                                              \
        EDIT_VECTOR, attribute, {pairs, G_N_ELEMENTS(pairs), gone, G_N_ELEMENTS(gone)}, NULL,      \
            NULL, DRIVER                                                                           \
    }
#define WORD(attribute, letter, name)                                                              \
    {                                                                                              \
        EDIT_WORD, attribute, {NULL, 0, NULL, 0}, letter, name, DRIVER                             \
    }
#define SINGLE(attribute, value)                                                                   \
    {                                                                                              \
        EDIT_SINGLE, attribute, {NULL, 0, NULL, 0}, NULL, NULL, value                              \
    }
#define RC_WORD(attribute, word)                                                                   \
    {                                                                                              \
        EDIT_RC_WORD, attribute, {NULL, 0, NULL, 0}, NULL, NULL, word                              \
    }
static const Edit oned[] = {
    VECTOR("VM_MAD", vm_mad),
    WORD("TM_MAD", "-d", "--tm-types"),
    WORD("DATASTORE_MAD", "-d", "--ds-types"),
    WORD("DATASTORE_MAD", "-s", "--system-ds-types"),
    RENEWED("TM_MAD_CONF", tm_mad_conf, tm_mad_conf_gone),
    VECTOR("DS_MAD_CONF", ds_mad_conf),
    SINGLE("INHERIT_IMAGE_ATTR", "DOCKERRUN"),
    SINGLE("INHERIT_IMAGE_ATTR", "ONEDOCK_FS"),
    SINGLE("INHERIT_IMAGE_ATTR", "ONEDOCK_MOUNT"),
};
static const Edit monitord[] = {VECTOR("IM_MAD", im_mad)};
/*
 * Disks of onedock's own datastores alone: for this driver's VMs the stock transfer drivers would
 * call virsh for a live snapshot, and refuse it in one sentence as long as they are not named here.
 */
static const Edit vmm_execrc[] = {RC_WORD("LIVE_DISK_SNAPSHOTS", DRIVER "-" DRIVER)};

static const struct {
    const Edit *edits;
    gsize count;
} confs[] = {
    [SETUP_ONED] = {oned, G_N_ELEMENTS(oned)},
    [SETUP_MONITORD] = {monitord, G_N_ELEMENTS(monitord)},
    [SETUP_VMM_EXECRC] = {vmm_execrc, G_N_ELEMENTS(vmm_execrc)},
};

static gboolean apply(const Edit *edit, GString *text, GPtrArray *notes, GError **error)
{
    switch (edit->kind) {
    case EDIT_VECTOR:
        return template_add_vector(text, edit->attribute, &edit->vector, COMMENT, notes, error);
    case EDIT_SINGLE:
        return template_add_single(text, edit->attribute, edit->word, error);
    case EDIT_WORD:
        return template_add_word(text, edit->attribute, edit->letter, edit->name, edit->word,
                                 error);
    case EDIT_RC_WORD:
        return rc_add_word(text, edit->attribute, edit->word, error);
    }
    return TRUE;
}

static gboolean revert(const Edit *edit, GString *text, const char *before, GError **error)
{
    switch (edit->kind) {
    case EDIT_VECTOR:
        return template_remove_vector(text, edit->attribute, edit->word, COMMENT, error);
    case EDIT_SINGLE:
        return template_remove_single(text, edit->attribute, edit->word, error);
    case EDIT_WORD:
        return template_remove_word(text, edit->attribute, edit->letter, edit->name, edit->word,
                                    error);
    case EDIT_RC_WORD:
        return rc_remove_word(text, edit->attribute, edit->word,
                              before && rc_has_list(before, edit->attribute, NULL) > 0, error);
    }
    return TRUE;
}

/* A text that cannot be read had nothing of this. */
static gboolean had(const Edit *edit, const char *before)
{
    switch (edit->kind) {
    case EDIT_VECTOR:
        return template_has_vector(before, edit->attribute, edit->word, NULL) > 0;
    case EDIT_SINGLE:
        return template_has_single(before, edit->attribute, edit->word, NULL) > 0;
    case EDIT_WORD:
        return template_has_word(before, edit->attribute, edit->letter, edit->name, edit->word,
                                 NULL) > 0;
    case EDIT_RC_WORD:
        return rc_has_word(before, edit->attribute, edit->word, NULL) > 0;
    }
    return FALSE;
}

gchar *setup_opennebula_apply(SetupConf conf, const char *text, GPtrArray *notes, GError **error)
{
    g_autoptr(GString) now = g_string_new(text);
    for (gsize i = 0; i < confs[conf].count; i++)
        if (!apply(&confs[conf].edits[i], now, notes, error))
            return NULL;
    return g_string_free(g_steal_pointer(&now), FALSE);
}

gchar *setup_opennebula_revert(SetupConf conf, const char *text, const char *before, GError **error)
{
    g_autoptr(GString) now = g_string_new(text);
    for (gsize i = confs[conf].count; i > 0; i--) {
        const Edit *edit = &confs[conf].edits[i - 1];
        if ((!before || !had(edit, before)) && !revert(edit, now, before, error))
            return NULL;
    }
    return g_string_free(g_steal_pointer(&now), FALSE);
}
