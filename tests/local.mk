# Unit tests: programs that speak TAP. What needs a network namespace makes one of its own.
LDADD = libshim.la
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = \
	VMDOCK_TEST_DATA='$(abs_top_srcdir)/tests/data'; export VMDOCK_TEST_DATA;

unit_tests = \
	tests/unit/test_cgroup \
	tests/unit/test_config \
	tests/unit/test_context \
	tests/unit/test_credentials \
	tests/unit/test_datastore \
	tests/unit/test_detach \
	tests/unit/test_doctor \
	tests/unit/test_engine_body \
	tests/unit/test_engine_http \
	tests/unit/test_engine_parse \
	tests/unit/test_exec \
	tests/unit/test_filter \
	tests/unit/test_front_end \
	tests/unit/test_ground \
	tests/unit/test_hotplug \
	tests/unit/test_image_archive \
	tests/unit/test_image_ref \
	tests/unit/test_libvirt \
	tests/unit/test_manual \
	tests/unit/test_monitor \
	tests/unit/test_netlink \
	tests/unit/test_nic \
	tests/unit/test_nic_engine \
	tests/unit/test_nic_filter \
	tests/unit/test_nic_probe \
	tests/unit/test_nic_qos \
	tests/unit/test_nic_source \
	tests/unit/test_ovs \
	tests/unit/test_policy \
	tests/unit/test_poll \
	tests/unit/test_poll_format \
	tests/unit/test_root_size \
	tests/unit/test_runtime \
	tests/unit/test_samples \
	tests/unit/test_sandbox \
	tests/unit/test_setup \
	tests/unit/test_spec \
	tests/unit/test_spec_disk \
	tests/unit/test_spec_domain \
	tests/unit/test_spec_nova \
	tests/unit/test_spec_opennebula \
	tests/unit/test_spec_run \
	tests/unit/test_table \
	tests/unit/test_tm_args \
	tests/unit/test_traffic \
	tests/unit/test_transfer \
	tests/unit/test_vm_status \
	tests/unit/test_volume
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

tests_unit_test_context_LDADD = libshim.la $(LIBARCHIVE_LIBS)
tests_unit_test_engine_body_SOURCES = tests/unit/test_engine_body.c tests/unit/golden.c tests/unit/golden.h
tests_unit_test_engine_http_SOURCES = tests/unit/test_engine_http.c tests/lib/fake_engine.c tests/lib/fake_engine.h
tests_unit_test_image_archive_LDADD = libshim.la $(LIBARCHIVE_LIBS)
tests_unit_test_hotplug_SOURCES = tests/unit/test_hotplug.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_netlink_SOURCES = tests/unit/test_netlink.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_nic_SOURCES = tests/unit/test_nic.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_nic_engine_SOURCES = tests/unit/test_nic_engine.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_nic_filter_SOURCES = tests/unit/test_nic_filter.c tests/unit/golden.c tests/unit/golden.h tests/unit/netns.c tests/unit/netns.h
tests_unit_test_nic_qos_SOURCES = tests/unit/test_nic_qos.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_nic_source_SOURCES = tests/unit/test_nic_source.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_root_size_SOURCES = tests/unit/test_root_size.c tests/lib/fake_engine.c tests/lib/fake_engine.h
tests_unit_test_runtime_SOURCES = tests/unit/test_runtime.c
tests_unit_test_runtime_LDADD = libruntime.la libshim.la
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c tests/unit/netns.c tests/unit/netns.h
tests_unit_test_spec_SOURCES = tests/unit/test_spec.c tests/unit/golden.c tests/unit/golden.h
tests_unit_test_spec_domain_SOURCES = tests/unit/test_spec_domain.c tests/unit/golden.c tests/unit/golden.h
tests_unit_test_spec_run_SOURCES = tests/unit/test_spec_run.c tests/unit/golden.c tests/unit/golden.h
tests_unit_test_spec_nova_SOURCES = tests/unit/test_spec_nova.c tests/unit/golden.c tests/unit/golden.h
tests_unit_test_spec_opennebula_SOURCES = tests/unit/test_spec_opennebula.c tests/unit/golden.c tests/unit/golden.h

# Against a live engine: tests/live/engine_live.c says how it is run.
check_PROGRAMS += tests/live/engine_live

EXTRA_DIST += quickstart examples/vm.xml
# Named in EXTRA_DIST, check would be make's target of that name, and every archive would run all tests.
dist-hook:
	cp -p $(srcdir)/check $(distdir)/check

# Folders in which nothing is built, whole.
EXTRA_DIST += tests/data tests/fuzz tests/integration tests/nova tests/openstack tests/packages tests/torture
EXTRA_DIST += tests/lib/bad_engine tests/lib/frames tests/lib/lab tests/lib/vnmmad.rb tests/lib/common.bash tests/lib/packages tests/lib/sunstone.js tests/lib/terminal.exp tests/lib/cppcheck.cfg

# The compute driver in the whole of OpenStack: some minutes, as root. tests/openstack/run says what it does.
.PHONY: check-openstack torture soak fuzz bench analyze
if NOVA
check-openstack: all
	$(srcdir)/tests/openstack/run --build '$(abs_builddir)'
else
check-openstack:
	@echo 'check-openstack: this build is without Nova; configure it with --enable-nova' >&2; exit 1
endif

# The long versions of what check does, as root; each stage's short one is in ./check. Variables of the environment
# (check says which) go before those here.
torture:
	TORTURE_EVERY=$${TORTURE_EVERY:-1} TORTURE_SECONDS=$${TORTURE_SECONDS:-43200} $(srcdir)/check torture
soak:
	$(srcdir)/check soak
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(srcdir)/check fuzz
analyze:
	$(srcdir)/check format tidy cppcheck analyzer
# All rows, also when the targets of the first are missed.
bench:
	status=0; $(srcdir)/bench/bench || status=$$?; $(srcdir)/bench/bench --density $${DENSITY:-400} || status=$$?; exit $$status
