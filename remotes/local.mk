# The scripts that OpenNebula's front end calls, or copies to the nodes and calls there: one exec each.
# They keep their place below remotes/opennebula/ when they are installed.
remote_scripts = \
	remotes/opennebula/vmm/onedock/attach_disk \
	remotes/opennebula/vmm/onedock/cancel \
	remotes/opennebula/vmm/onedock/deploy \
	remotes/opennebula/vmm/onedock/detach_disk \
	remotes/opennebula/vmm/onedock/poll \
	remotes/opennebula/vmm/onedock/reboot \
	remotes/opennebula/vmm/onedock/reset \
	remotes/opennebula/vmm/onedock/shutdown
nobase_pkgdata_SCRIPTS = $(remote_scripts)
EXTRA_DIST += $(remote_scripts:=.in)
CLEANFILES += $(remote_scripts)

$(remote_scripts): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && chmod +x $@.tmp && mv $@.tmp $@
