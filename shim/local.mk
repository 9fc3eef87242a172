# The programs. libshim holds what their tests link too.
noinst_LTLIBRARIES += libshim.la
libshim_la_SOURCES = \
	shim/detach.c shim/detach.h \
	shim/opennebula.c shim/opennebula.h \
	shim/shim.c shim/shim.h \
	shim/table.c shim/table.h \
	shim/tm_args.c shim/tm_args.h
libshim_la_LIBADD = libvmdock.la

bin_PROGRAMS += vmdock
vmdock_SOURCES = \
	shim/terminal.c shim/terminal.h \
	shim/verb_console.c \
	shim/verb_deploy.c \
	shim/verb_doctor.c \
	shim/verb_dumpxml.c \
	shim/verb_events.c \
	shim/verb_exec.c \
	shim/verb_explain.c \
	shim/verb_filter.c \
	shim/verb_gc.c \
	shim/verb_lifecycle.c \
	shim/verb_list.c \
	shim/verb_logs.c \
	shim/verb_poll.c \
	shim/verb_run.c \
	shim/verb_show.c \
	shim/verb_version.c \
	shim/verbs.c shim/verbs.h \
	shim/vmdock.c
vmdock_LDADD = libshim.la

sbin_PROGRAMS += vmdock-setup
vmdock_setup_SOURCES = \
	shim/setup.c shim/setup.h \
	shim/setup_front_end.c \
	shim/setup_node.c \
	shim/setup_sunstone.c
vmdock_setup_LDADD = libshim.la

pkglibexec_PROGRAMS += vmdock-one
vmdock_one_SOURCES = \
	shim/one.c shim/one.h \
	shim/one_context.c \
	shim/one_disks.c \
	shim/one_exec.c \
	shim/one_lifecycle.c \
	shim/one_monitor.c \
	shim/one_nic.c \
	shim/one_refused.c \
	shim/one_resize.c \
	shim/one_snapshot.c \
	shim/one_transfer.c \
	shim/vmdock_one.c
vmdock_one_LDADD = libshim.la

if NOVA
pkglibexec_PROGRAMS += vmdock-nova
endif
vmdock_nova_SOURCES = \
	shim/nova.c shim/nova.h \
	shim/nova_image.c \
	shim/nova_lifecycle.c \
	shim/nova_migrate.c \
	shim/nova_monitor.c \
	shim/nova_network.c \
	shim/nova_password.c \
	shim/nova_rescue.c \
	shim/nova_volume.c \
	shim/vmdock_nova.c
vmdock_nova_LDADD = libshim.la

pkglibexec_PROGRAMS += vmdock-front
vmdock_front_SOURCES = \
	shim/front.h \
	shim/front_command.c shim/front_command.h \
	shim/front_backup.c \
	shim/front_ds.c \
	shim/front_tm.c shim/front_tm.h \
	shim/front_tm_context.c \
	shim/front_tm_datastore.c \
	shim/front_tm_disk.c \
	shim/front_tm_move.c \
	shim/vmdock_front.c
vmdock_front_LDADD = libshim.la

# What these two do, root does not do itself, or does not wait for. Only the second links libarchive.
pkglibexec_PROGRAMS += vmdock-script vmdock-unpack
vmdock_script_SOURCES = shim/vmdock_script.c
vmdock_script_LDADD = libshim.la
vmdock_unpack_SOURCES = shim/vmdock_unpack.c
vmdock_unpack_LDADD = libvmdock.la $(LIBARCHIVE_LIBS)

# vmdock-runtime starts it, for VMs with NICs on the engine's networks alone.
pkglibexec_PROGRAMS += vmdock-plug
vmdock_plug_SOURCES = shim/vmdock_plug.c
vmdock_plug_LDADD = libshim.la

# The only one that is linked to libvirt, which takes longer to load than all else of a deploy.
if LIBVIRT
pkglibexec_PROGRAMS += vmdock-libvirt
endif
vmdock_libvirt_SOURCES = shim/vmdock_libvirt.c
vmdock_libvirt_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS)
vmdock_libvirt_LDADD = libvmdock.la $(LIBVIRT_LIBS)

# Stands apart: every verb of every container pays for its start, so it links libc and jansson alone.
pkglibexec_PROGRAMS += vmdock-runtime
noinst_LTLIBRARIES += libruntime.la
libruntime_la_CFLAGS = $(VMDOCK_CFLAGS) $(JANSSON_CFLAGS)
libruntime_la_SOURCES = \
	shim/runtime/bundle.c \
	shim/runtime/bundle.h \
	shim/runtime/command.c \
	shim/runtime/command.h \
	shim/runtime/complaint.c \
	shim/runtime/complaint.h \
	shim/runtime/lookup.c \
	shim/runtime/lookup.h \
	shim/runtime/plain.c \
	shim/runtime/plain.h \
	shim/runtime/runtime.c \
	shim/runtime/runtime.h \
	shim/runtime/settings.c \
	shim/runtime/settings.h
libruntime_la_LIBADD = $(JANSSON_LIBS)
vmdock_runtime_CFLAGS = $(VMDOCK_CFLAGS) $(JANSSON_CFLAGS)
vmdock_runtime_SOURCES = shim/runtime/vmdock_runtime.c
vmdock_runtime_LDADD = libruntime.la

bashcompdir = $(BASHCOMPDIR)
EXTRA_DIST += shim/completion/vmdock.bash

install-exec-hook:
	$(MKDIR_P) $(DESTDIR)$(bashcompdir)
	$(INSTALL_DATA) $(srcdir)/shim/completion/vmdock.bash $(DESTDIR)$(bashcompdir)/vmdock

uninstall-local:
	rm -f $(DESTDIR)$(bashcompdir)/vmdock
