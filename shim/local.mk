# The programs. libshim holds what their tests link too.
noinst_LTLIBRARIES += libshim.la
libshim_la_SOURCES = \
	shim/opennebula.c shim/opennebula.h \
	shim/shim.c shim/shim.h \
	shim/table.c shim/table.h
libshim_la_LIBADD = libvmdock.la

bin_PROGRAMS += vmdock
vmdock_SOURCES = \
	shim/vmdock.c \
	shim/verb_deploy.c \
	shim/verb_doctor.c \
	shim/verb_exec.c \
	shim/verb_explain.c \
	shim/verb_gc.c \
	shim/verb_lifecycle.c \
	shim/verb_list.c \
	shim/verb_logs.c \
	shim/verb_poll.c \
	shim/verb_show.c \
	shim/verb_version.c \
	shim/verbs.c shim/verbs.h
vmdock_LDADD = libshim.la

pkglibexec_PROGRAMS += vmdock-one
vmdock_one_SOURCES = \
	shim/one.c shim/one.h \
	shim/one_disks.c \
	shim/one_lifecycle.c \
	shim/vmdock_one.c
vmdock_one_LDADD = libshim.la

pkglibexec_PROGRAMS += vmdock-front
vmdock_front_SOURCES = \
	shim/front.h \
	shim/vmdock_front.c
vmdock_front_LDADD = libshim.la

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
