# The configuration (only defaults, all commented) and the cloud user's way to root.
confdir = $(sysconfdir)/vmdock
nodist_conf_DATA = etc/vmdock.conf
systemdsystemunitdir = @systemdsystemunitdir@
nodist_systemdsystemunit_DATA = etc/vmdock-forward.service
sudoersdir = $(sysconfdir)/sudoers.d
EXTRA_DIST += etc/vmdock.conf.in etc/vmdock.sudoers.in etc/vmdock-nova.sudoers.in etc/vmdock-forward.service.in
CLEANFILES += etc/vmdock.conf etc/vmdock-one.sudoers etc/vmdock-nova.sudoers etc/vmdock-forward.service

all-local: etc/vmdock-one.sudoers etc/vmdock-nova.sudoers

etc/vmdock.conf: etc/vmdock.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@

etc/vmdock-forward.service: etc/vmdock-forward.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@

etc/vmdock-one.sudoers: etc/vmdock.sudoers.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/etc/vmdock.sudoers.in > $@.tmp && mv $@.tmp $@

etc/vmdock-nova.sudoers: %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@

# sudo reads only files of mode 0440; its name has no dot, or sudo would pass over it.
install-data-hook:
	$(MKDIR_P) -m 0750 $(DESTDIR)$(sudoersdir)
	$(INSTALL) -m 0440 etc/vmdock-one.sudoers $(DESTDIR)$(sudoersdir)/vmdock-one
if NOVA
	$(INSTALL) -m 0440 etc/vmdock-nova.sudoers $(DESTDIR)$(sudoersdir)/vmdock-nova
endif

uninstall-hook:
	rm -f $(DESTDIR)$(sudoersdir)/vmdock-one $(DESTDIR)$(sudoersdir)/vmdock-nova
