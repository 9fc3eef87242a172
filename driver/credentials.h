// SPDX-License-Identifier: Apache-2.0
/*
 * Registry credentials from a file of the form of ~/.docker/config.json: "auths", each entry with
 * "auth" (base64 of user:password), "username" and "password", "identitytoken" or "registrytoken".
 * Credential helpers are not run. What is read here never reaches a log or a message.
 */
#pragma once

#include <glib.h>

/*
 * The value of the engine's X-Registry-Auth header for REGISTRY ("docker.io", "reg.example:5000");
 * NULL without error when PATH is not there or holds nothing for it. Errors: CONFIG (not owned by
 * root, open to others, malformed), IO.
 */
gchar *credentials_header(const char *path, const char *registry, GError **error);

/*
 * Whether PATH may be handed to a program that reads it itself: FALSE without error when it is not
 * there; the errors of credentials_header().
 */
gboolean credentials_usable(const char *path, GError **error);

/* credentials_header() from the file's text: pure. */
gchar *credentials_parse(const char *text, gsize length, const char *registry, GError **error);
