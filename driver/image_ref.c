// SPDX-License-Identifier: Apache-2.0
#include "image_ref.h"

#include "error.h"

#include <string.h>

#define URL_SCHEME     "docker://"
#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN  "index.docker.io"
#define DEFAULT_SPACE  "library/"
#define DEFAULT_TAG    "latest"

enum {
    MAX_TEXT = 1024,      /* bytes of a reference that are looked at */
    MAX_NAME = 255,       /* registry and repository together: the engine's limit */
    MAX_SHOWN = 120,      /* bytes of it in a sentence */
    IMAGE_ID_LENGTH = 64, /* a name of that many hex digits would be an id */
};

/* The grammar of the distribution project's references, part by part. */
static const struct {
    const char *pattern, *what;
} grammar[] = {
    {"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
     "|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?",
     "registry"},
    {"[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*)*",
     "repository"},
    {"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", "tag"},
    {"[a-zA-Z][a-zA-Z0-9]*(?:[-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,128}", "digest"},
};

enum { REGISTRY, REPOSITORY, TAG, DIGEST };

gboolean image_ref_is_url(const char *text)
{
    return g_str_has_prefix(text, URL_SCHEME);
}

void image_ref_free(ImageRef *ref)
{
    if (!ref)
        return;
    g_free(ref->registry);
    g_free(ref->repository);
    g_free(ref->tag);
    g_free(ref->digest);
    g_free(ref);
}

static gboolean check_part(guint part, const char *text, GError **error)
{
    if (!text)
        return TRUE;
    g_autofree gchar *whole = g_strdup_printf("\\A(?:%s)\\z", grammar[part].pattern);
    if (g_regex_match_simple(whole, text, G_REGEX_RAW, 0))
        return TRUE;
    g_autofree gchar *shown = vmdock_one_line(text, MAX_SHOWN);
    g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "\"%s\" is no %s", shown,
                grammar[part].what);
    return FALSE;
}

/* Ends TEXT at its first SEPARATOR; what stood behind it, NULL when there is none. */
static gchar *cut(gchar *text, char separator)
{
    gchar *found = strchr(text, separator);
    if (!found)
        return NULL;
    *found = '\0';
    return g_strdup(found + 1);
}

/* The engine's rule: a first word with a dot or a port, or "localhost", is a registry. */
static gboolean names_registry(const char *first, gsize length)
{
    g_autofree gchar *word = g_strndup(first, length);
    return strpbrk(word, ".:") || strcmp(word, "localhost") == 0;
}

static ImageRef *split(gchar *text)
{
    ImageRef *ref = g_new0(ImageRef, 1);
    ref->digest = cut(text, '@');
    gchar *slash = strchr(text, '/');
    gchar *repository = text;
    if (slash && names_registry(text, (gsize)(slash - text))) {
        ref->registry = g_strndup(text, (gsize)(slash - text));
        repository = slash + 1;
    }
    ref->tag = cut(repository, ':');
    ref->repository = g_strdup(repository);
    return ref;
}

static void set_defaults(ImageRef *ref)
{
    if (!ref->registry || strcmp(ref->registry, LEGACY_DOMAIN) == 0) {
        g_free(ref->registry);
        ref->registry = g_strdup(DEFAULT_DOMAIN);
    }
    if (strcmp(ref->registry, DEFAULT_DOMAIN) == 0 && !strchr(ref->repository, '/')) {
        g_autofree gchar *word = g_steal_pointer(&ref->repository);
        ref->repository = g_strconcat(DEFAULT_SPACE, word, NULL);
    }
    if (!ref->tag && !ref->digest)
        ref->tag = g_strdup(DEFAULT_TAG);
}

static gboolean check(const ImageRef *ref, GError **error)
{
    if (!check_part(REGISTRY, ref->registry, error) ||
        !check_part(REPOSITORY, ref->repository, error) || !check_part(TAG, ref->tag, error) ||
        !check_part(DIGEST, ref->digest, error))
        return FALSE;
    if (strlen(ref->repository) + (ref->registry ? strlen(ref->registry) : 0) > MAX_NAME) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "its name is longer than %d bytes",
                    MAX_NAME);
        return FALSE;
    }
    if (!ref->registry && strlen(ref->repository) == IMAGE_ID_LENGTH &&
        strspn(ref->repository, "0123456789abcdef") == IMAGE_ID_LENGTH) {
        g_set_error_literal(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC,
                            "an image's id is no reference");
        return FALSE;
    }
    return TRUE;
}

ImageRef *image_ref_parse(const char *text, GError **error)
{
    gboolean url = image_ref_is_url(text);
    const char *start = url ? text + strlen(URL_SCHEME) : text;
    g_autofree gchar *shown = vmdock_one_line(text, MAX_SHOWN);
    if (*start == '\0' || strlen(start) > MAX_TEXT) {
        g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_SPEC, "image reference \"%s\": it is %s",
                    shown, *start ? "too long" : "empty");
        return NULL;
    }
    g_autofree gchar *plain = g_strndup(start, url ? strcspn(start, "?") : strlen(start));
    ImageRef *ref = split(plain);
    if (check(ref, error)) {
        set_defaults(ref);
        return ref;
    }
    g_prefix_error(error, "image reference \"%s\": ", shown);
    image_ref_free(ref);
    return NULL;
}

gboolean image_ref_is_registry(const char *text)
{
    g_autofree gchar *wanted = g_strconcat(text, "/x", NULL);
    g_autofree gchar *reference = g_strconcat(URL_SCHEME, wanted, ":x", NULL);
    g_autoptr(ImageRef) ref = image_ref_parse(reference, NULL);
    g_autofree gchar *path = ref ? g_strconcat(ref->registry, "/", ref->repository, NULL) : NULL;
    return ref && !ref->digest && strcmp(path, wanted) == 0;
}

/* Without its domain, docker.io/reg.example/app would be an image of another registry. */
static gboolean needs_domain(const char *repository)
{
    const char *slash = strchr(repository, '/');
    return slash && names_registry(repository, (gsize)(slash - repository));
}

gchar *image_ref_name(const ImageRef *ref)
{
    gboolean here = strcmp(ref->registry, DEFAULT_DOMAIN) == 0 && !needs_domain(ref->repository);
    const char *repository = ref->repository;
    if (here && g_str_has_prefix(repository, DEFAULT_SPACE) &&
        !strchr(repository + strlen(DEFAULT_SPACE), '/'))
        repository += strlen(DEFAULT_SPACE);
    return g_strconcat(here ? "" : ref->registry, here ? "" : "/", repository,
                       ref->digest ? "@" : ":", ref->digest ? ref->digest : ref->tag, NULL);
}
