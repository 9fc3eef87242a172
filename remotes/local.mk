# The scripts that OpenNebula's front end calls, or copies to the nodes and calls there: one exec each.
# They keep their place below remotes/opennebula/ when they are installed.
remote_scripts = \
	remotes/opennebula/datastore/onedock/backup \
	remotes/opennebula/datastore/onedock/clone \
	remotes/opennebula/datastore/onedock/cp \
	remotes/opennebula/datastore/onedock/export \
	remotes/opennebula/datastore/onedock/mkfs \
	remotes/opennebula/datastore/onedock/monitor \
	remotes/opennebula/datastore/onedock/rm \
	remotes/opennebula/datastore/onedock/snap_delete \
	remotes/opennebula/datastore/onedock/snap_flatten \
	remotes/opennebula/datastore/onedock/snap_revert \
	remotes/opennebula/datastore/onedock/stat \
	remotes/opennebula/im/onedock-probes.d/host/beacon/date.sh \
	remotes/opennebula/im/onedock-probes.d/host/monitor/onedock.sh \
	remotes/opennebula/im/onedock-probes.d/host/system/onedock.sh \
	remotes/opennebula/im/onedock-probes.d/vm/execution/onedock.sh \
	remotes/opennebula/im/onedock-probes.d/vm/monitor/onedock.sh \
	remotes/opennebula/im/onedock-probes.d/vm/snapshot/onedock.sh \
	remotes/opennebula/im/onedock-probes.d/vm/status/onedock.sh \
	remotes/opennebula/tm/onedock/clone \
	remotes/opennebula/tm/onedock/context \
	remotes/opennebula/tm/onedock/cpds \
	remotes/opennebula/tm/onedock/delete \
	remotes/opennebula/tm/onedock/failmigrate \
	remotes/opennebula/tm/onedock/ln \
	remotes/opennebula/tm/onedock/mkimage \
	remotes/opennebula/tm/onedock/mkswap \
	remotes/opennebula/tm/onedock/monitor \
	remotes/opennebula/tm/onedock/mv \
	remotes/opennebula/tm/onedock/mvds \
	remotes/opennebula/tm/onedock/postbackup \
	remotes/opennebula/tm/onedock/postbackup_live \
	remotes/opennebula/tm/onedock/postmigrate \
	remotes/opennebula/tm/onedock/prebackup \
	remotes/opennebula/tm/onedock/prebackup_live \
	remotes/opennebula/tm/onedock/premigrate \
	remotes/opennebula/tm/onedock/resize \
	remotes/opennebula/tm/onedock/snap_create \
	remotes/opennebula/tm/onedock/snap_create_live \
	remotes/opennebula/tm/onedock/snap_delete \
	remotes/opennebula/tm/onedock/snap_revert \
	remotes/opennebula/vmm/onedock/attach_disk \
	remotes/opennebula/vmm/onedock/attach_nic \
	remotes/opennebula/vmm/onedock/cancel \
	remotes/opennebula/vmm/onedock/deploy \
	remotes/opennebula/vmm/onedock/detach_disk \
	remotes/opennebula/vmm/onedock/detach_nic \
	remotes/opennebula/vmm/onedock/exec \
	remotes/opennebula/vmm/onedock/exec_cancel \
	remotes/opennebula/vmm/onedock/migrate \
	remotes/opennebula/vmm/onedock/poll \
	remotes/opennebula/vmm/onedock/prereconfigure \
	remotes/opennebula/vmm/onedock/reboot \
	remotes/opennebula/vmm/onedock/reconfigure \
	remotes/opennebula/vmm/onedock/reset \
	remotes/opennebula/vmm/onedock/resize \
	remotes/opennebula/vmm/onedock/resize_disk \
	remotes/opennebula/vmm/onedock/restore \
	remotes/opennebula/vmm/onedock/save \
	remotes/opennebula/vmm/onedock/shutdown \
	remotes/opennebula/vmm/onedock/snapshot_create \
	remotes/opennebula/vmm/onedock/snapshot_delete \
	remotes/opennebula/vmm/onedock/snapshot_revert
nobase_pkgdata_SCRIPTS = $(remote_scripts)
EXTRA_DIST += $(remote_scripts:=.in)
CLEANFILES += $(remote_scripts)
# What vmdock-setup adds to them on the front end.
remotesdir = $(pkgdatadir)/remotes
dist_remotes_DATA = remotes/opennebula.links

$(remote_scripts): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && chmod +x $@.tmp && mv $@.tmp $@

# What OpenNebula's own network drivers load on the nodes.
remote_data = remotes/opennebula/vnm/vnmmad-load.d/onedock.rb
nobase_pkgdata_DATA = $(remote_data)
EXTRA_DIST += $(remote_data:=.in)
CLEANFILES += $(remote_data)

$(remote_data): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@
# Beside the probes: which of the front end's own files are linked in.
nobase_dist_pkgdata_DATA = remotes/opennebula/im/onedock-probes.d/README
# What a browser loads for Sunstone.
nobase_dist_pkgdata_DATA += remotes/sunstone/OnedockModule/remoteEntry.js

# Nova's compute driver, and the module by which Nova loads it.
nova_package = \
	remotes/nova/vmdock_nova/__init__.py \
	remotes/nova/vmdock_nova/convert.py \
	remotes/nova/vmdock_nova/driver.py \
	remotes/nova/vmdock_nova/events.py \
	remotes/nova/vmdock_nova/shim.py \
	remotes/nova/vmdock_nova/volumes.py
nova_module = remotes/nova/nova/virt/vmdock/__init__.py
EXTRA_DIST += $(nova_package) $(nova_module) remotes/nova/vmdock_nova/conf.py.in
CLEANFILES += remotes/nova/vmdock_nova/conf.py

remotes/nova/vmdock_nova/conf.py: %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(edit) $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@

if NOVA
vmdock_novadir = $(pythondir)/vmdock_nova
vmdock_nova_DATA = $(nova_package)
nodist_vmdock_nova_DATA = remotes/nova/vmdock_nova/conf.py
novavirtdir = $(pythondir)/nova/virt/vmdock
novavirt_DATA = $(nova_module)
endif
