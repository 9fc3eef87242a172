// SPDX-License-Identifier: Apache-2.0
#include "complaint.h"

#include "plain.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static char *line_of(const char *format, const char *sentence)
{
    char now[sizeof "2000-01-01T00:00:00Z"] = "";
    time_t seconds = time(NULL);
    struct tm parts;
    if (gmtime_r(&seconds, &parts))
        strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &parts);
    autojson json_t *text = json_string(sentence);
    autofree char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
    if (!quoted)
        quoted = plain_print("\"the container is refused\"");
    if (format && strcmp(format, "json") == 0)
        return plain_print("{\"level\":\"error\",\"msg\":%s,\"time\":\"%s\"}\n", quoted, now);
    return plain_print("time=\"%s\" level=error msg=%s\n", now, quoted);
}

/* crun takes "file:PATH" too, and logs that are no files, which are left alone. */
static const char *log_path(const char *log)
{
    if (strncmp(log, "file:", 5) == 0)
        return log + 5;
    if (strncmp(log, "journald:", 9) == 0 || strncmp(log, "syslog:", 7) == 0)
        return NULL;
    return log;
}

void complain(const Command *command, const char *sentence)
{
    fprintf(stderr, "vmdock-runtime: %s\n", sentence);
    const char *path = command->log ? log_path(command->log) : NULL;
    if (!path)
        return;
    autofree char *line = line_of(command->log_format, sentence);
    autofd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        fprintf(stderr, "vmdock-runtime: cannot write the log %s\n", path);
}
