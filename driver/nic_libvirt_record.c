// SPDX-License-Identifier: Apache-2.0
#include "nic_libvirt_record.h"

#include "autoptr.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "reserved"

enum { MAX_FILE = 1024 * 1024 };

static gchar *record_path(const Config *config, const char *deploy_id)
{
    return g_build_filename(config->state_dir, FOLDER, deploy_id, NULL);
}

static void reservation_free(gpointer data)
{
    Reservation *reservation = data;
    g_free(reservation->network);
    g_free(reservation->name);
    g_free(reservation);
}

Reservation *reservation_new(const char *network, const guint8 mac[6])
{
    Reservation *reservation = g_new0(Reservation, 1);
    reservation->network = g_strdup(network);
    memcpy(reservation->mac, mac, sizeof reservation->mac);
    return reservation;
}

static GPtrArray *list_new(void)
{
    return g_ptr_array_new_with_free_func(reservation_free);
}

static void read_one(const json_t *json, GPtrArray *list)
{
    const char *network = json_string_value(json_object_get(json, "network"));
    const char *mac = json_string_value(json_object_get(json, "mac"));
    const char *address = json_string_value(json_object_get(json, "address"));
    guint8 bytes[6];
    if (!network || !mac || !vm_mac_parse(mac, bytes))
        return;
    Reservation *reservation = reservation_new(network, bytes);
    g_ptr_array_add(list, reservation);
    reservation->name = g_strdup(json_string_value(json_object_get(json, "name")));
    if (!address || !vm_address_parse(address, &reservation->address))
        reservation->address.family = 0;
}

GPtrArray *reservations_load(const Config *config, const char *deploy_id)
{
    GPtrArray *list = list_new();
    g_autofree gchar *path = record_path(config, deploy_id);
    g_autofree gchar *text = file_read(path, MAX_FILE, NULL, NULL);
    g_autoptr(json_t) json = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *item;
    gsize index;
    json_array_foreach (json, index, item)
        read_one(item, list);
    return list;
}

GPtrArray *reservations_copy(const GPtrArray *reservations)
{
    GPtrArray *copy = list_new();
    for (guint i = 0; i < reservations->len; i++) {
        const Reservation *from = reservations->pdata[i];
        Reservation *to = reservation_new(from->network, from->mac);
        g_ptr_array_add(copy, to);
        to->name = g_strdup(from->name);
        to->address = from->address;
    }
    return copy;
}

static json_t *write_one(const Reservation *reservation)
{
    g_autofree gchar *mac = vm_mac_format(reservation->mac);
    g_autofree gchar *address =
        reservation->address.family ? vm_address_format(&reservation->address) : NULL;
    return json_pack("{s:s, s:s, s:s?, s:s?}", "network", reservation->network, "mac", mac, "name",
                     reservation->name, "address", address);
}

gboolean reservations_save(const Config *config, const char *deploy_id,
                           const GPtrArray *reservations, GError **error)
{
    g_autofree gchar *path = record_path(config, deploy_id);
    g_autofree gchar *folder = g_build_filename(config->state_dir, FOLDER, NULL);
    if (reservations->len == 0)
        return file_remove(path, error);
    g_autoptr(json_t) json = json_array();
    for (guint i = 0; i < reservations->len; i++)
        json_array_append_new(json, write_one(reservations->pdata[i]));
    char *text = json_dumps(json, JSON_INDENT(2));
    gboolean saved = file_make_folder(folder, 0700, error) &&
                     file_replace(path, text, -1, 0600, error) && file_sync(path, error);
    free(text);
    return saved;
}

Reservation *reservations_find(const GPtrArray *reservations, const char *network,
                               const guint8 mac[6])
{
    for (guint i = 0; i < reservations->len; i++) {
        Reservation *reservation = reservations->pdata[i];
        if (strcmp(reservation->network, network) == 0 &&
            memcmp(reservation->mac, mac, sizeof reservation->mac) == 0)
            return reservation;
    }
    return NULL;
}

GPtrArray *reservations_owners(const Config *config)
{
    GPtrArray *owners = g_ptr_array_new_with_free_func(g_free);
    g_autofree gchar *path = g_build_filename(config->state_dir, FOLDER, NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (vm_id_valid(name))
            g_ptr_array_add(owners, g_strdup(name));
    return owners;
}
