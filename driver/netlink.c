// SPDX-License-Identifier: Apache-2.0
#include "netlink.h"

#include "autoptr.h"
#include "error.h"
#include "log.h"
#include "netlink_request.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
    READ_SIZE = 65536, /* the kernel fills up to 32 KiB of a dump at a time */
    SOCKET_BUFFER = 1 << 20,
    ANSWER_SECONDS = 5,
    DUMP_ATTEMPTS = 8,
};

/* One request of the queue and what became of it. */
typedef struct {
    guint32 sequence;
    int fine;
    gchar *what;
    gboolean answered;
    int failure;     /* errno */
    gchar *sentence; /* the kernel's own; NULL if it gave none */
} Pending;

struct Netlink {
    struct mnl_socket *socket;
    guint32 sequence;
    gboolean batch;
    GByteArray *queue; /* the messages not yet sent */
    GArray *pending;   /* Pending, of all that is in the queue */
    guint8 read[READ_SIZE] __attribute__((aligned(8)));
};

/* The answer that is being taken in, beside the acknowledgements. */
typedef struct {
    NetlinkParser parser;
    gpointer data;
    gsize size;
    GArray *elements;
    gboolean interrupted; /* what was dumped changed meanwhile */
} Answer;

static void pending_clear(gpointer data)
{
    Pending *pending = data;
    g_free(pending->what);
    g_free(pending->sentence);
}

static void set_options(struct mnl_socket *socket)
{
    int on = 1, size = SOCKET_BUFFER, fd = mnl_socket_get_fd(socket);
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    /* Each is better had than not, and none is needed: older kernels lack some. */
    (void)mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof on);
    (void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof on);
    (void)mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Netlink *netlink_open(GError **error)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!socket) {
        vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, errno, "cannot open a netlink socket");
        return NULL;
    }
    set_options(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, errno, "cannot bind a netlink socket");
        mnl_socket_close(socket);
        return NULL;
    }
    Netlink *netlink = g_new(Netlink, 1);
    netlink->socket = socket;
    netlink->sequence = 0;
    netlink->batch = FALSE;
    netlink->queue = g_byte_array_new();
    netlink->pending = g_array_new(FALSE, TRUE, sizeof(Pending));
    g_array_set_clear_func(netlink->pending, pending_clear);
    return netlink;
}

void netlink_free(Netlink *netlink)
{
    if (!netlink)
        return;
    mnl_socket_close(netlink->socket);
    g_byte_array_unref(netlink->queue);
    g_array_unref(netlink->pending);
    g_free(netlink);
}

gpointer netlink_request_begin(NetlinkRequest *request, guint16 type, guint16 flags, gsize size)
{
    memset(request->bytes, 0, sizeof request->bytes); /* the padding of attributes goes out too */
    request->header = mnl_nlmsg_put_header(request->bytes);
    request->header->nlmsg_type = type;
    request->header->nlmsg_flags = NLM_F_REQUEST | flags;
    return mnl_nlmsg_put_extra_header(request->header, size);
}

gboolean netlink_namespace(const Netlink *netlink, guint64 *number)
{
    socklen_t size = sizeof *number;
    return getsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_NETNS_COOKIE, number,
                      &size) == 0;
}

gboolean netlink_attr_copy(const struct nlattr *attr, gpointer to, gsize size)
{
    if (mnl_attr_get_payload_len(attr) < size)
        return FALSE;
    memcpy(to, mnl_attr_get_payload(attr), size);
    return TRUE;
}

static void queue(Netlink *netlink, NetlinkRequest *request, int fine, const char *what,
                  va_list args)
{
    Pending pending = {.sequence = ++netlink->sequence, .fine = fine};
    pending.what = g_strdup_vprintf(what, args);
    request->header->nlmsg_seq = pending.sequence;
    g_array_append_val(netlink->pending, pending);
    g_byte_array_append(netlink->queue, request->bytes, request->header->nlmsg_len);
}

static gboolean send_queue(Netlink *netlink, GError **error)
{
    ssize_t n;
    do
        n = mnl_socket_sendto(netlink->socket, netlink->queue->data, netlink->queue->len);
    while (n < 0 && errno == EINTR);
    int failure = errno;
    g_byte_array_set_size(netlink->queue, 0);
    if (n >= 0)
        return TRUE;
    vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, failure, "cannot ask the kernel");
    return FALSE;
}

static Pending *find_pending(Netlink *netlink, guint32 sequence)
{
    for (guint i = 0; i < netlink->pending->len; i++) {
        Pending *pending = &g_array_index(netlink->pending, Pending, i);
        if (pending->sequence == sequence)
            return pending;
    }
    return NULL;
}

static gchar *extended_sentence(const struct nlmsghdr *message, const struct nlmsgerr *ack)
{
    gsize offset = sizeof *ack;
    if (!(message->nlmsg_flags & NLM_F_CAPPED))
        offset += mnl_nlmsg_get_payload_len(&ack->msg);
    if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) || offset > mnl_nlmsg_get_payload_len(message))
        return NULL;
    const struct nlattr *attr;
    mnl_attr_for_each (attr, message, offset) {
        if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_MSG)
            continue;
        g_autofree gchar *text =
            g_strndup(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
        return vmdock_one_line(text, 256);
    }
    return NULL;
}

static void take_ack(Pending *pending, const struct nlmsghdr *message)
{
    pending->answered = TRUE;
    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nlmsgerr)) {
        pending->failure = EBADMSG;
        return;
    }
    const struct nlmsgerr *ack = mnl_nlmsg_get_payload(message);
    pending->failure = -ack->error;
    pending->sentence = extended_sentence(message, ack);
}

/* The end of a dump carries the error of a dump that broke off. */
static void take_done(Pending *pending, const struct nlmsghdr *message)
{
    gint32 result = 0;
    if (mnl_nlmsg_get_payload_len(message) >= sizeof result)
        memcpy(&result, mnl_nlmsg_get_payload(message), sizeof result);
    pending->answered = TRUE;
    pending->failure = result < 0 ? -result : 0;
}

static void take_element(Answer *answer, const struct nlmsghdr *message)
{
    guint length = answer->elements->len;
    g_array_set_size(answer->elements, length + 1);
    gpointer element = answer->elements->data + (gsize)length * answer->size;
    if (!answer->parser(message, element, answer->data))
        g_array_set_size(answer->elements, length);
}

/* Returns how many requests the message has answered: 0 or 1. */
static guint take_message(Netlink *netlink, const struct nlmsghdr *message, Answer *answer)
{
    Pending *pending = find_pending(netlink, message->nlmsg_seq);
    if (!pending || pending->answered) /* of a request that timed out */
        return 0;
    if (answer && (message->nlmsg_flags & NLM_F_DUMP_INTR))
        answer->interrupted = TRUE;
    if (message->nlmsg_type == NLMSG_ERROR)
        take_ack(pending, message);
    else if (message->nlmsg_type == NLMSG_DONE)
        take_done(pending, message);
    else if (answer && message->nlmsg_type >= NLMSG_MIN_TYPE)
        take_element(answer, message);
    return pending->answered ? 1 : 0;
}

/* One read; its length, -1 on failure. What is not the kernel's is dropped: a guest with
 * CAP_NET_ADMIN may send to a socket of its own namespace. */
static int receive_some(Netlink *netlink, GError **error)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(mnl_socket_get_fd(netlink->socket), netlink->read,
                             sizeof netlink->read, MSG_TRUNC, (struct sockaddr *)&from, &size);
        if (n >= 0 && (gsize)n > sizeof netlink->read) {
            n = -1;
            errno = EMSGSIZE;
        }
        if ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0))
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            g_set_error(error, VMDOCK_ERROR, VMDOCK_ERROR_NETWORK,
                        "the kernel did not answer a netlink request in %d s", ANSWER_SECONDS);
        else if (n < 0)
            vmdock_error_errno(error, VMDOCK_ERROR_NETWORK, errno, "cannot hear the kernel");
        return (int)n;
    }
}

static gboolean receive(Netlink *netlink, Answer *answer, GError **error)
{
    for (guint left = netlink->pending->len; left > 0;) {
        int length = receive_some(netlink, error);
        if (length < 0)
            return FALSE;
        for (const struct nlmsghdr *message = (const void *)netlink->read;
             left > 0 && mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
            left -= take_message(netlink, message, answer);
    }
    return TRUE;
}

static const char *failure_text(const Pending *pending)
{
    if (pending->sentence)
        return pending->sentence;
    return pending->failure == EXFULL ? "the bridge has no port left (Exchange full)"
                                      : g_strerror(pending->failure);
}

static void trace(Netlink *netlink, gint64 began)
{
    double ms = (double)(g_get_monotonic_time() - began) / G_TIME_SPAN_MILLISECOND;
    for (guint i = 0; i < netlink->pending->len; i++) {
        const Pending *pending = &g_array_index(netlink->pending, Pending, i);
        const char *result = !pending->answered      ? "no answer"
                             : pending->failure != 0 ? failure_text(pending)
                                                     : "ok";
        log_trace("netlink %s -> %s in %.2f ms", pending->what, result, ms);
    }
}

static VmdockError failure_code(int failure)
{
    if (failure == EOPNOTSUPP || failure == EAFNOSUPPORT || failure == EPROTONOSUPPORT)
        return VMDOCK_ERROR_UNSUPPORTED;
    return VMDOCK_ERROR_NETWORK;
}

/* The first failure of the queue; what is there already is worth a word although it is fine. */
static gboolean judge(Netlink *netlink, GError **error)
{
    for (guint i = 0; i < netlink->pending->len; i++) {
        const Pending *pending = &g_array_index(netlink->pending, Pending, i);
        if (pending->failure != 0 && pending->failure != pending->fine) {
            g_set_error(error, VMDOCK_ERROR, (gint)failure_code(pending->failure), "cannot %s: %s",
                        pending->what, failure_text(pending));
            return FALSE;
        }
        if (pending->failure == EEXIST)
            log_warn("not done: %s: there is one already", pending->what);
    }
    return TRUE;
}

/* Sends all of the queue and takes in the answers. */
static gboolean exchange(Netlink *netlink, Answer *answer, GError **error)
{
    gint64 began = g_get_monotonic_time();
    gboolean heard = send_queue(netlink, error) && receive(netlink, answer, error);
    trace(netlink, began);
    gboolean done = heard && judge(netlink, error);
    g_array_set_size(netlink->pending, 0);
    return done;
}

gboolean netlink_request_send(Netlink *netlink, NetlinkRequest *request, int fine, GError **error,
                              const char *what, ...)
{
    va_list args;
    va_start(args, what);
    request->header->nlmsg_flags |= NLM_F_ACK;
    queue(netlink, request, fine, what, args);
    va_end(args);
    return netlink->batch || exchange(netlink, NULL, error);
}

GArray *netlink_request_get(Netlink *netlink, NetlinkRequest *request, gsize size,
                            NetlinkParser parser, gpointer data, int fine, GError **error,
                            const char *what, ...)
{
    g_autoptr(GArray) elements = g_array_new(FALSE, TRUE, (guint)size);
    Answer answer = {.parser = parser, .data = data, .size = size, .elements = elements};
    if ((request->header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
        request->header->nlmsg_flags |= NLM_F_ACK;
    for (guint attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        va_list args;
        va_start(args, what);
        queue(netlink, request, fine, what, args);
        va_end(args);
        answer.interrupted = FALSE;
        g_array_set_size(elements, 0);
        if (!exchange(netlink, &answer, error))
            return NULL;
        if (!answer.interrupted)
            break;
    }
    return g_steal_pointer(&elements);
}

void netlink_batch_begin(Netlink *netlink)
{
    netlink->batch = TRUE;
}

gboolean netlink_batch_send(Netlink *netlink, GError **error)
{
    netlink->batch = FALSE;
    return netlink->pending->len == 0 || exchange(netlink, NULL, error);
}
