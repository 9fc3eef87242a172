# Manual pages; those that name installed places are made.
dist_man_MANS += doc/vmdock-datastore.5 doc/vmdock-domain.5 doc/vmdock-template.5 doc/vmdock-transfer.7 \
	doc/vmdock-one.8 doc/vmdock-runtime.8 doc/vmdock-setup.8
nodist_man_MANS = doc/vmdock.1 doc/vmdock.conf.5
EXTRA_DIST += $(nodist_man_MANS:%=%.in)
CLEANFILES += $(nodist_man_MANS)

$(nodist_man_MANS): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@
