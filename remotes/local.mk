# The scripts that OpenNebula's front end copies to the nodes: one exec each.
vmmdir = $(pkgdatadir)/remotes/vmm/onedock
vmm_actions = cancel deploy poll reboot reset shutdown
vmm_SCRIPTS = $(vmm_actions:%=remotes/opennebula/vmm/onedock/%)
EXTRA_DIST += $(vmm_actions:%=remotes/opennebula/vmm/onedock/%.in)
CLEANFILES += $(vmm_SCRIPTS)

$(vmm_SCRIPTS): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && chmod +x $@.tmp && mv $@.tmp $@
