// SPDX-License-Identifier: Apache-2.0
/*
 * A VM that an operator asks for on the command line -> VmSpec: `vmdock run`. Pure.
 *
 * Its deploy id is "run-<name>", which no cloud gives: OpenNebula's and Nova's probes pass such a
 * VM over, and everything else treats it as any other.
 */
#pragma once

#include "spec.h"

/* The cloud of such a VM. */
#define RUN_CLOUD "operator"

/* As the words of the command line have it; NULL where nothing was said. */
typedef struct {
    const char *image;
    const char *name; /* needed: spec_run_name() makes one */
    const char *hostname;
    const char *memory; /* "512M" */
    const char *cpu;    /* "0.5" */
    const char *bridge;
    const char *network;   /* of libvirt, "default" or "default=192.168.122.7"; or the bridge */
    GStrv engine_networks; /* of the engine, "mine" or "mine=10.5.0.7"; each is a NIC of its own */
    const char *mac;
    const char *mtu;
    GStrv addresses;   /* "10.0.0.2/24" */
    GStrv gateways;    /* one a family */
    GStrv dns;         /* addresses */
    GStrv environment; /* "NAME=value" */
    GStrv attributes;  /* "NAME=value", those of spec_attribute.h */
    GStrv command;     /* NULL = the image's */
    gboolean hard_cpu; /* as OpennebulaOptions has them */
    gboolean terminal;
} RunWish;

/* A name made of the image's, with MARK to tell apart what runs of one image: "nginx-0a1b2c". */
gchar *spec_run_name(const char *image, guint32 mark);

/* Errors: SPEC. The result has passed vm_spec_check(). */
VmSpec *spec_from_run(const RunWish *wish, GError **error);
