# SPDX-License-Identifier: Apache-2.0
"""The class that nova-compute loads as vmdock.DockerDriver."""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import re
import sys
import threading
import time
from typing import Any, NamedTuple

from nova.compute import power_state, task_states, vm_states
import nova.conf
from nova import exception
from nova.image import glance
from nova.network import os_vif_util
from nova import objects
from nova.objects import diagnostics
from nova.virt import driver, hardware, virtapi, event as virtevent
from os_vif import exception as os_vif_exception
import os_resource_classes as orc
import os_vif
from oslo_concurrency import lockutils, processutils
from oslo_log import log as logging
from oslo_serialization import jsonutils
from oslo_utils import excutils

from vmdock_nova import conf, convert, volumes
from vmdock_nova.events import Events
from vmdock_nova.shim import (
    Answer, Call, Limits, NotRead, Request, Shim, ShimError)

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF
conf.register(CONF)

STATES = {
    'running': power_state.RUNNING,
    'paused': power_state.PAUSED,
    'suspended': power_state.SUSPENDED,
    'stopped': power_state.SHUTDOWN,
    'broken': power_state.CRASHED,
}
# Not what the start of a host has to mend.
UP = (power_state.RUNNING, power_state.PAUSED, power_state.SUSPENDED)
# What another host would refuse as well: the build is not tried again.
HOPELESS = ('SPEC', 'POLICY', 'DEAD', 'UNSUPPORTED', 'DUPLICATE')
# For how long one listing answers for all instances of a periodic task.
LISTING_S = 2.0
# Between the end of an action and a look at what it left.
LATER_S = 1.0
BOOT_VOLUME = ('a container does not boot from a volume: boot it from an '
               'image and attach the volume')
ENDED = ('stopped', 'broken')
PLUGGED = 'network-vif-plugged'
Event = tuple[str, str]
NO_CONSOLE = ('vmdock does not support consoles of the type %s yet: what a '
              'container prints is in its console log')
IMAGE_FORMAT = {'container_format': 'docker', 'disk_format': 'raw'}


def _event_timeouts() -> tuple[type[BaseException], ...]:
    """What wait_for_instance_event() raises: eventlet's own up to 2025."""
    found: list[type[BaseException]] = []
    own = getattr(exception, 'InstanceEventTimeout', None)
    if own:
        found.append(own)
    eventlet = sys.modules.get('eventlet.timeout')
    if eventlet:
        found.append(eventlet.Timeout)
    return tuple(found)


def _version(text: str) -> int:
    """20.10.24+dfsg1 -> 20010024, as Nova writes versions."""
    numbers = [int(''.join(c for c in part if c.isdigit())[:3] or 0)
               for part in text.split('+')[0].split('~')[0].split('.')[:3]]
    numbers += [0] * (3 - len(numbers))
    return numbers[0] * 1000000 + numbers[1] * 1000 + numbers[2]


def _unplugged(network_info: Any) -> list[Event]:
    """What Neutron says of NICs that are not there yet. It says nothing of
    one that it has not missed."""
    return [(PLUGGED, vif['id']) for vif in network_info or []
            if vif.get('active') is False]


def _plugged_anew(network_info: Any) -> list[Event]:
    """Of NICs that have been there before, as the option says: not every
    network says anything of them."""
    kinds = CONF.workarounds.wait_for_vif_plugged_event_during_hard_reboot
    return [(PLUGGED, vif['id']) for vif in network_info or []
            if vif['vnic_type'] in kinds]


def _sentence(error: Exception) -> str:
    """Nova keeps 255 characters, and knows which instance it is."""
    return re.sub(r'\AVM nova-\S+: ', '', str(error))


def _reason(error: Any) -> Any:
    """os-vif's exceptions leave out of their text what went wrong."""
    return getattr(error, 'kwargs', {}).get('err', error)


class Listing(NamedTuple):
    """The states of all instances, as they were at a time."""

    began: float
    states: dict[str, str]


class DockerDriver(driver.ComputeDriver):
    """Boots containers."""

    capabilities = {
        **driver.ComputeDriver.capabilities,
        'has_imagecache': True,
        'supports_attach_interface': True,
        'supports_evacuate': True,
        'supports_extend_volume': True,
        'supports_image_type_raw': True,
        'supports_migrate_to_same_host': True,
    }

    def __init__(self, virtapi: virtapi.VirtAPI,
                 read_only: bool = False) -> None:
        super().__init__(virtapi)
        self._host: str = CONF.host
        self._events: Events | None = None
        self._began = False
        # Held for the four after it, and while nothing is waited for.
        self._lock = threading.Lock()
        self._busy: collections.Counter[str] = collections.Counter()
        self._idle_since: dict[str, float] = {}
        self._looked_after: set[str] = set()
        self._listing: Listing | None = None
        self._changes = 0
        self._listing_lock = threading.Lock()
        self._make_shim()

    def _make_shim(self) -> None:
        self._shim = Shim(CONF.vmdock.command, self._limits(),
                          host=self._host,
                          shared_engine=CONF.vmdock.shared_engine)

    @staticmethod
    def _limits() -> Limits:
        return Limits(CONF.vmdock.call_timeout, CONF.vmdock.transfer_timeout)

    # ---- the service ------------------------------------------------------

    def init_host(self, host: str) -> None:
        self._host = host
        self._make_shim()
        os_vif.initialize()
        try:
            self._shim.call('resources')
        except ShimError as error:
            raise exception.NovaException(
                'vmdock cannot work on this host: %s' % error) from error

    def cleanup_host(self, host: str) -> None:
        self.register_event_listener(None)

    def register_event_listener(self, callback: Any) -> None:
        super().register_event_listener(callback)
        if self._events:
            self._events.stop()
            self._events = None
        if callback:
            self._began = False
            self._events = Events(self._shim, self._heard)
            self._events.start()

    def _heard(self, event: Answer) -> None:
        """Tells Nova of instances that have ended by themselves."""
        self._changed()
        if event['event'] == 'ready':
            self._tell_ended()
        elif event['event'] == 'stopped':
            self._tell_stopped(event['uuid'])

    def _tell_ended(self) -> None:
        """Of those that have ended while nobody listened. When Nova itself
        has only begun, it starts them if it is to."""
        began, self._began = self._began, True
        if not began and CONF.resume_guests_state_on_host_boot:
            return
        for uuid, state in self._states().items():
            if state in ENDED:
                self._tell_stopped(uuid)

    def _tell_stopped(self, uuid: str) -> None:
        """Nova passes over what it hears of an instance in its hands."""
        with self._lock:
            acts = uuid in self._busy
            later = self._is_in_hand(uuid) and uuid not in self._looked_after
            if later:
                self._looked_after.add(uuid)
        if later:
            threading.Thread(target=self._tell_later, args=(uuid,),
                             daemon=True).start()
        if not acts:
            self._emit_stopped(uuid)

    def _emit_stopped(self, uuid: str) -> None:
        self.emit_event(virtevent.LifecycleEvent(
            uuid, virtevent.EVENT_LIFECYCLE_STOPPED))

    def _is_in_hand(self, uuid: str) -> bool:
        """What Nova does to it goes on for a moment after the driver's
        part."""
        return uuid in self._busy or \
            time.monotonic() < self._idle_since.get(uuid, 0) + LATER_S

    def _tell_later(self, uuid: str) -> None:
        """An instance may die just when an action on it ends."""
        while True:
            time.sleep(LATER_S)
            with self._lock:
                if self._is_in_hand(uuid):
                    continue
                # From here on it is looked at, and heard of, anew.
                self._looked_after.discard(uuid)
            break
        try:
            stopped = self._states().get(uuid) in ENDED
        except ShimError as error:
            LOG.warning('%s', error)
            return
        if stopped:
            self._emit_stopped(uuid)

    def get_available_nodes(self, refresh: bool = False) -> list[str]:
        return [self._host]

    def get_host_ip_addr(self) -> str:
        return CONF.my_ip

    # ---- calls ------------------------------------------------------------

    @contextlib.contextmanager
    def _looking(self, instance: Any) -> collections.abc.Iterator[None]:
        try:
            yield
        except ShimError as error:
            raise self._translated(error, instance) from error

    @contextlib.contextmanager
    def _acting(self, instance: Any) -> collections.abc.Iterator[None]:
        """While the driver itself changes an instance, its container's
        events are no news."""
        with self._lock:
            self._busy[instance.uuid] += 1
        try:
            with self._looking(instance):
                yield
        finally:
            self._changed()
            with self._lock:
                self._let_go(instance.uuid)

    def _let_go(self, uuid: str) -> None:
        now = time.monotonic()
        self._busy[uuid] -= 1
        if not self._busy[uuid]:
            del self._busy[uuid]
            self._idle_since = {
                uuid: now, **{other: since for other, since
                              in self._idle_since.items()
                              if now < since + LATER_S and other != uuid}}

    def _changed(self) -> None:
        """What is known of the states is old, and so is what somebody is
        being told at this moment."""
        with self._lock:
            self._changes += 1
            self._listing = None

    @staticmethod
    def _translated(error: ShimError, instance: Any) -> Exception:
        if error.kind == 'NO_VM':
            return exception.InstanceNotFound(instance_id=instance.uuid)
        return exception.NovaException(str(error))

    def _call(self, method: str, instance: Any, **more: Any) -> Answer:
        request: Request = {'instance': convert.instance(instance), **more}
        with self._acting(instance):
            return self._shim.call(method, request)

    def _look(self, method: str, instance: Any) -> Answer:
        with self._looking(instance):
            return self._shim.call(
                method, {'instance': convert.instance(instance)})

    # ---- looking ----------------------------------------------------------

    def _list(self) -> list[Answer]:
        return self._shim.call('list')['instances']

    def _states(self, fresh: bool = True) -> dict[str, str]:
        """What is told was so after the question, or at most LISTING_S
        before it, and after every change that had ended then."""
        with self._listing_lock:
            with self._lock:
                listing, changes = self._listing, self._changes
            began = time.monotonic()
            if not fresh and listing and began - listing.began < LISTING_S:
                return listing.states
            states = {one['uuid']: one['state'] for one in self._list()}
            with self._lock:
                if changes == self._changes:
                    self._listing = Listing(began, states)
            return states

    def get_info(self, instance: Any,
                 use_cache: bool = True) -> hardware.InstanceInfo:
        if use_cache:
            cached = self._states(fresh=False).get(instance.uuid)
            if cached is None:
                raise exception.InstanceNotFound(instance_id=instance.uuid)
            state = cached
        else:
            state = self._look('info', instance)['state']
        return hardware.InstanceInfo(state=STATES[state])

    def list_instances(self) -> list[str]:
        return [one['name'] for one in self._list()]

    def list_instance_uuids(self) -> list[str]:
        return list(self._states())

    def get_num_instances(self) -> int:
        return len(self._states(fresh=False))

    def instance_exists(self, instance: Any) -> bool:
        return instance.uuid in self._states()

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        with self._looking(instance):
            text = self._shim.output(
                'console', {'instance': convert.instance(instance)})
        # A trailing newline would count as a line of its own.
        return text.replace(b'\r\n', b'\n').removesuffix(b'\n')

    def get_vnc_console(self, context: Any, instance: Any) -> Any:
        raise self._no_console('novnc')

    def get_spice_console(self, context: Any, instance: Any) -> Any:
        raise self._no_console('spice-html5')

    def get_mks_console(self, context: Any, instance: Any) -> Any:
        raise self._no_console('webmks')

    def get_serial_console(self, context: Any, instance: Any) -> Any:
        raise self._no_console('serial')

    @staticmethod
    def _no_console(kind: str) -> Exception:
        return exception.ConsoleTypeUnavailable(NO_CONSOLE % kind,
                                                console_type=kind)

    def get_diagnostics(self, instance: Any) -> Answer:
        return self._look('diagnostics', instance)

    def get_instance_diagnostics(self,
                                 instance: Any) -> diagnostics.Diagnostics:
        now = self._look('diagnostics', instance)
        # Of Nova's list of drivers, which has none for containers.
        found = diagnostics.Diagnostics(
            state=power_state.STATE_MAP[STATES[now['state']]],
            driver='libvirt',
            config_drive=True, hypervisor='docker', hypervisor_os='linux',
            uptime=max(0, int(time.time()) - now['created']),
            num_cpus=0, num_nics=0, num_disks=0)  # add_…() count
        found.add_cpu(id=0, time=now['cpu_ns'])
        found.add_nic(rx_octets=now['net_rx'], tx_octets=now['net_tx'])
        found.add_disk(read_bytes=now['disk_read_bytes'],
                       write_bytes=now['disk_write_bytes'],
                       read_requests=now['disk_read_ops'],
                       write_requests=now['disk_write_ops'])
        found.memory_details = diagnostics.MemoryDiagnostics(
            maximum=now['memory_limit'] >> 20, used=now['memory'] >> 20)
        return found

    # ---- the host ---------------------------------------------------------

    def _sweep(self) -> None:
        """What actions that were killed, or cut off from the engine, have
        left: Nova does not always ask for it again."""
        try:
            for sentence in self._shim.call('sweep')['cleared']:
                LOG.info('%s', sentence)
        except ShimError as error:
            LOG.warning('what actions may have left stays: %s', error)

    def get_available_resource(self, nodename: str) -> Answer:
        self._sweep()
        found = self._shim.call('resources')
        return {
            'vcpus': found['vcpus'],
            'memory_mb': found['memory_mb'],
            'local_gb': found['local_gb'],
            'vcpus_used': 0,
            'memory_mb_used': found['memory_mb_used'],
            'local_gb_used': found['local_gb_used'],
            'disk_available_least': found['local_gb_available'],
            'hypervisor_type': found['engine'],
            'hypervisor_version': _version(found['engine_version']),
            'hypervisor_hostname': nodename,
            'cpu_info': jsonutils.dumps({'arch': found['arch'],
                                         'model': found['cpu_model']}),
            'numa_topology': None,
            'supported_instances': [[found['arch'], 'docker', 'exe']],
        }

    def update_provider_tree(self, provider_tree: Any, nodename: str,
                             allocations: Any = None) -> None:
        found = self._shim.call('resources')
        before = provider_tree.data(nodename).inventory
        ratios = self._get_allocation_ratios(before)
        reserved = {
            orc.VCPU: CONF.reserved_host_cpus,
            orc.MEMORY_MB: CONF.reserved_host_memory_mb,
            orc.DISK_GB: self._get_reserved_host_disk_gb_from_config(),
        }
        totals = {
            orc.VCPU: found['vcpus'],
            orc.MEMORY_MB: found['memory_mb'],
            orc.DISK_GB: found['local_gb'],
        }
        provider_tree.update_inventory(nodename, {
            name: {'total': total, 'min_unit': 1, 'max_unit': total,
                   'step_size': 1, 'allocation_ratio': ratios[name],
                   'reserved': reserved[name]}
            for name, total in totals.items() if total > 0})

    def get_host_uptime(self) -> str:
        return processutils.execute('env', 'LANG=C', 'uptime')[0]

    def get_host_cpu_stats(self) -> Answer:
        found = self._shim.call('resources')
        return {**found['cpu_time'], 'frequency': found['cpu_mhz']}

    # ---- the network ------------------------------------------------------

    def _os_vif(self, action: collections.abc.Callable[[Any, Any], None],
                instance: Any, network_info: Any) -> None:
        owner = os_vif_util.nova_to_osvif_instance(instance)
        for vif in network_info or []:
            action(os_vif_util.nova_to_osvif_vif(vif), owner)

    def _plug(self, instance: Any, network_info: Any) -> None:
        try:
            self._os_vif(os_vif.plug, instance, network_info)
        except os_vif_exception.ExceptionBase as error:
            raise exception.VirtualInterfacePlugException(
                'os-vif: %s' % _reason(error)) from error

    def _unplug(self, instance: Any, network_info: Any) -> None:
        try:
            self._os_vif(os_vif.unplug, instance, network_info)
        except os_vif_exception.ExceptionBase as error:
            LOG.warning('a VIF stays plugged: %s', _reason(error),
                        instance=instance)

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        """At the start of nova-compute, for each instance: also where its
        container is gone, or stopped."""
        self._plug(instance, network_info)
        try:
            self._call('renew_network', instance,
                       network_info=convert.network(network_info))
        except exception.InstanceNotFound:
            LOG.info('it has no container to plug', instance=instance)

    def unplug_vifs(self, instance: Any, network_info: Any) -> None:
        self._unplug(instance, network_info)

    def attach_interface(self, context: Any, instance: Any, image_meta: Any,
                         vif: Any) -> None:
        self._plug(instance, [vif])
        try:
            self._call('attach_interface', instance, vif=convert.vif(vif))
        except exception.NovaException as error:
            self._unplug(instance, [vif])
            raise exception.InterfaceAttachFailed(
                instance_uuid=instance.uuid) from error

    def detach_interface(self, context: Any, instance: Any,
                         vif: Any) -> None:
        try:
            self._call('detach_interface', instance, vif=convert.vif(vif))
        except exception.NovaException as error:
            raise exception.InterfaceDetachFailed(
                instance_uuid=instance.uuid) from error
        self._unplug(instance, [vif])

    # ---- images -----------------------------------------------------------

    def _fetch_image(self, context: Any, instance: Any,
                     request: Request) -> None:
        """Brings an image that Glance holds to this host."""
        meta = request['image_meta']
        if meta.get('container_format') != 'docker' or \
                not meta.get('size') and 'image_vmdock_image' in \
                request['instance']['system_metadata']:
            return
        with lockutils.lock('vmdock-image-' + meta['id']):
            if self._shim.call('image_held', request)['held']:
                return
            try:
                self._load_image(context, instance, request)
                self._shim.call('image_keep', request)
            except Exception:
                with excutils.save_and_reraise_exception():
                    self._forget_image(request)

    def _load_image(self, context: Any, instance: Any,
                    request: Request) -> None:
        """A signature that is wrong, or a checksum, is told when all of it
        has come; the latter by an error of a broken pipe's number."""
        image_id = request['image_meta']['id']
        with self._shim.begin('image_load', request) as call:
            try:
                glance.API().download(
                    context, image_id, data=call.stdin,
                    trusted_certs=instance.trusted_certs)
            except NotRead:
                pass
            except OSError as error:
                raise exception.NovaException(
                    'the image %s has not come whole: %s' % (
                        image_id, error)) from error
            call.finish()

    def _forget_image(self, request: Request) -> None:
        """A download that ended badly may have been loaded all the same."""
        try:
            self._shim.call('image_forget', request)
        except ShimError as error:
            LOG.warning('%s', error)

    def manage_image_cache(self, context: Any, all_instances: Any) -> None:
        if CONF.image_cache.remove_unused_base_images:
            used = {one.image_ref for one in all_instances if one.image_ref}
            gone = self._shim.call('image_prune', {'keep': sorted(used)})
            LOG.info('images that no instance uses any more: %s',
                     gone['forgotten'])

    def snapshot(self, context: Any, instance: Any, image_id: str,
                 update_task_state: Any) -> None:
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        request = {'instance': convert.instance(instance)}
        api = glance.API()
        image = api.get(context, image_id)
        with self._acting(instance):
            with self._shim.begin('save', request) as call:
                update_task_state(
                    task_state=task_states.IMAGE_UPLOADING,
                    expected_state=task_states.IMAGE_PENDING_UPLOAD)
                api.update(context, image_id,
                           {**IMAGE_FORMAT, 'name': image.get('name'),
                            'properties': image.get('properties', {})},
                           data=call.stdout)
                call.check()

    # ---- lifecycle --------------------------------------------------------

    def spawn(self, context: Any, instance: Any, image_meta: Any,
              injected_files: Any, admin_password: str | None,
              allocations: Any, network_info: Any = None,
              block_device_info: Any = None, power_on: bool = True,
              accel_info: Any = None, **kwargs: Any) -> None:
        # Nova allocates the network meanwhile; unless it is waited for, an
        # instance may become active without.
        if hasattr(network_info, 'wait'):
            network_info.wait(do_raise=True)
        if any(one.get('boot_index') == 0 for one in driver.
               block_device_info_get_mapping(block_device_info)):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=BOOT_VOLUME)
        volumes.connect_all(block_device_info)
        request = self._whole(instance, image_meta, network_info, power_on,
                              injected_files, admin_password,
                              block_device_info)
        try:
            with self._acting(instance):
                self._fetch_image(context, instance, request)
                self._start('spawn', instance, network_info, request,
                            _unplugged(network_info) if power_on else [])
        except Exception as error:
            volumes.disconnect_all(block_device_info)
            cause = error.__cause__
            if isinstance(cause, ShimError):
                raise self._spawn_error(cause, instance,
                                        image_meta) from error
            raise

    @staticmethod
    def _spawn_error(error: ShimError, instance: Any,
                     image_meta: Any) -> Exception:
        reason = _sentence(error)
        if error.kind == 'NO_IMAGE':
            return exception.ImageUnacceptable(
                image_id=getattr(image_meta, 'id', None), reason=reason)
        if error.kind == 'NO_BRIDGE':
            return exception.VirtualInterfacePlugException(reason)
        if error.kind in HOPELESS:
            return exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=reason)
        return exception.NovaException(reason)

    @staticmethod
    def _whole(instance: Any, image_meta: Any, network_info: Any,
               power_on: bool, injected_files: Any = None,
               admin_password: str | None = None,
               block_device_info: Any = None) -> Request:
        """All that Nova says of an instance."""
        return {
            'instance': convert.instance(instance),
            'image_meta': convert.image(image_meta),
            'network_info': convert.network(network_info),
            'injected_files': convert.injected(injected_files),
            'files': convert.config_drive(instance, injected_files,
                                          admin_password, network_info),
            'admin_password': admin_password,
            'power_on': power_on,
            **convert.block_devices(block_device_info),
        }

    def _start(self, method: str, instance: Any, network_info: Any,
               request: Request, events: list[Event]) -> None:
        """Lets a container start when Neutron has plugged its NICs."""
        if not CONF.vif_plugging_timeout:
            events = []
        try:
            with contextlib.ExitStack() as stack:
                self._start_within(stack, method, instance, network_info,
                                   request, events)
        except exception.VirtualInterfaceCreateException:
            # vmdock-nova has taken its part back.
            with excutils.save_and_reraise_exception():
                self._unplug(instance, network_info)

    def _start_within(self, stack: contextlib.ExitStack, method: str,
                      instance: Any, network_info: Any, request: Request,
                      events: list[Event]) -> None:
        call: Call | None = None
        waits = False
        try:
            with self.virtapi.wait_for_instance_event(
                    instance, events, CONF.vif_plugging_timeout,
                    self._plugging_failed):
                self._plug(instance, network_info)
                call = stack.enter_context(self._shim.begin(
                    method, {**request, 'wait': bool(events)}))
                waits = bool(events) and \
                    bool((call.line() or {}).get('plugged'))
                if not waits:
                    call.finish()
                    if events:  # it had nothing to plug
                        self.virtapi.exit_wait_early(events)
        except _event_timeouts() as late:
            if CONF.vif_plugging_is_fatal:
                raise exception.VirtualInterfaceCreateException() from late
            LOG.warning('Neutron has not plugged its NICs in time',
                        instance=instance)
        if call and waits:
            call.go_on()
            call.finish()

    @staticmethod
    def _plugging_failed(event_name: str, instance: Any) -> None:
        LOG.error('Neutron says %s failed', event_name, instance=instance)
        if CONF.vif_plugging_is_fatal:
            raise exception.VirtualInterfaceCreateException()

    def destroy(self, context: Any, instance: Any, network_info: Any,
                block_device_info: Any = None, destroy_disks: bool = True,
                destroy_secrets: bool = True, **kwargs: Any) -> None:
        if self._reverts_in_place(context, instance):
            self.power_off(instance)
        else:
            self._call('destroy', instance)
            self._unplug(instance, network_info)
        volumes.disconnect_all(block_device_info)

    def cleanup(self, context: Any, instance: Any, network_info: Any,
                block_device_info: Any = None, *args: Any,
                **kwargs: Any) -> None:
        self._call('destroy', instance)
        self._unplug(instance, network_info)
        volumes.disconnect_all(block_device_info)

    def delete_instance_files(self, instance: Any) -> bool:
        self._call('destroy', instance)
        return True

    def power_off(self, instance: Any, timeout: int = 0,
                  retry_interval: int = 0) -> None:
        try:
            self._call('power_off', instance, timeout=timeout)
        except exception.InstanceNotFound:
            # Off it is: a rebuild of what never came up begins like this.
            LOG.warning('it has no container', instance=instance)
        # A switch does not take a device of a name that it had before.
        self._unplug(instance, instance.get_network_info())

    def power_on(self, context: Any, instance: Any, network_info: Any,
                 block_device_info: Any = None, accel_info: Any = None,
                 *args: Any, **kwargs: Any) -> None:
        volumes.connect_all(block_device_info)
        self._start_again('power_on', instance, network_info,
                          convert.block_devices(block_device_info))

    def _start_again(self, method: str, instance: Any, network_info: Any,
                     more: Request) -> None:
        request: Request = {'instance': convert.instance(instance),
                            'network_info': convert.network(network_info),
                            **more}
        with self._acting(instance):
            self._start(method, instance, network_info, request,
                        _plugged_anew(network_info))

    def reboot(self, context: Any, instance: Any, network_info: Any,
               reboot_type: str, block_device_info: Any = None,
               bad_volumes_callback: Any = None, accel_info: Any = None,
               *args: Any, **kwargs: Any) -> None:
        if reboot_type != 'HARD':
            self._call('reboot', instance, hard=False,
                       network_info=convert.network(network_info))
            return
        volumes.connect_all(block_device_info)
        self._unplug(instance, network_info)
        try:
            self._start_again(
                'reboot', instance, network_info,
                {'hard': True, **convert.block_devices(block_device_info)})
        except exception.InstanceNotFound:
            # A move may have broken off when its disk had arrived.
            self._settle(instance, instance.image_meta, network_info, True,
                         block_device_info, _plugged_anew(network_info))

    def pause(self, instance: Any) -> None:
        self._call('pause', instance)

    def unpause(self, instance: Any) -> None:
        self._call('unpause', instance)

    def suspend(self, context: Any, instance: Any) -> None:
        self._call('suspend', instance)

    def resume(self, context: Any, instance: Any, network_info: Any,
               block_device_info: Any = None, *args: Any,
               **kwargs: Any) -> None:
        volumes.connect_all(block_device_info)
        self._plug(instance, network_info)
        self._call('resume', instance,
                   network_info=convert.network(network_info),
                   **convert.block_devices(block_device_info))

    def resume_state_on_host_boot(self, context: Any, instance: Any,
                                  network_info: Any, *args: Any,
                                  block_device_info: Any = None,
                                  **kwargs: Any) -> None:
        """Since Nova 31 the shares stand before the block devices."""
        if args and block_device_info is None:
            block_device_info = args[-1]
        if self.get_info(instance, use_cache=False).state in UP:
            return
        self.power_on(context, instance, network_info, block_device_info)

    def set_admin_password(self, instance: Any, new_pass: str) -> None:
        self._call('set_password', instance, admin_password=new_pass)

    def rescue(self, context: Any, instance: Any, network_info: Any,
               image_meta: Any, rescue_password: str | None,
               block_device_info: Any = None, *args: Any,
               **kwargs: Any) -> None:
        request = self._whole(instance, image_meta, network_info, True, None,
                              rescue_password)
        # The instance knows its own image's properties alone.
        properties = glance.API().get(context, image_meta.id)['properties']
        request['instance']['system_metadata'] = {
            'image_' + name: value for name, value in properties.items()}
        self._plug(instance, network_info)
        with self._acting(instance):
            self._fetch_image(context, instance, request)
            self._shim.call('rescue', request)

    def unrescue(self, context: Any, instance: Any,
                 *args: Any, **kwargs: Any) -> None:
        self._call('unrescue', instance)
        self.power_on(context, instance, instance.get_network_info())

    # ---- volumes ----------------------------------------------------------

    def get_volume_connector(self, instance: Any) -> Answer:
        return volumes.properties()

    def attach_volume(self, context: Any, connection_info: Any,
                      instance: Any, mountpoint: str,
                      disk_bus: str | None = None,
                      device_type: str | None = None,
                      encryption: Any = None) -> None:
        if encryption:
            raise exception.NovaException(
                'vmdock attaches no encrypted volumes')
        volumes.connect(connection_info)
        try:
            self._call('attach_volume', instance, mountpoint=mountpoint,
                       connection_info=convert.connection(connection_info))
        except exception.NovaException:
            with excutils.save_and_reraise_exception():
                volumes.disconnect(connection_info)

    def detach_volume(self, context: Any, connection_info: Any,
                      instance: Any, mountpoint: str,
                      encryption: Any = None) -> None:
        try:
            self._call('detach_volume', instance,
                       connection_info=convert.connection(connection_info))
        except exception.NovaException as error:
            raise exception.DeviceDetachFailed(
                device=mountpoint, reason=str(error)) from error
        volumes.disconnect(connection_info)

    def extend_volume(self, context: Any, connection_info: Any,
                      instance: Any, requested_size: int) -> None:
        volumes.extend(connection_info)
        self._call('extend_volume', instance, size=requested_size,
                   connection_info=convert.connection(connection_info))

    def swap_volume(self, context: Any, old_connection_info: Any,
                    new_connection_info: Any, instance: Any,
                    mountpoint: str, resize_to: int) -> None:
        raise NotImplementedError(
            'vmdock cannot exchange a volume under a container that uses it: '
            'detach it and attach the other one')

    # ---- resize and cold migration ----------------------------------------

    @staticmethod
    def _in_place(migration: Any) -> bool:
        """The container stays where it is."""
        return migration.source_compute == migration.dest_compute

    def _reverts_in_place(self, context: Any, instance: Any) -> bool:
        if instance.task_state != task_states.RESIZE_REVERTING or \
                not instance.migration_context:
            return False
        migration = objects.Migration.get_by_id_and_instance(
            context.elevated(), instance.migration_context.migration_id,
            instance.uuid)
        return self._in_place(migration)

    def migrate_disk_and_power_off(
            self, context: Any, instance: Any, dest: str, flavor: Any,
            network_info: Any, block_device_info: Any = None,
            timeout: int = 0, retry_interval: int = 0) -> str:
        here = dest == self.get_host_ip_addr()
        there = self._reach(None if here else dest)
        self.power_off(instance, timeout, retry_interval)
        try:
            if not here or CONF.vmdock.shared_engine:
                self._send_disk(instance, there, here)
        except Exception as error:
            try:
                if instance.vm_state != vm_states.STOPPED:
                    self.power_on(context, instance, network_info,
                                  block_device_info)
            finally:
                self._forget_disk(instance, there)
            raise exception.InstanceFaultRollback(
                self._not_moved(dest, error)) from error
        volumes.disconnect_all(block_device_info)
        return jsonutils.dumps({})

    @staticmethod
    def _not_moved(dest: str, error: Exception) -> exception.NovaException:
        return exception.NovaException(
            'the disk cannot go to %s: %s' % (dest, _sentence(error)))

    def _reach(self, dest: str | None) -> Shim:
        """vmdock-nova on another host, which answers: as long as it does
        not, the instance need not be stopped."""
        if not dest:
            return Shim(CONF.vmdock.command, self._limits(),
                        host=self._host)
        there = Shim([*CONF.vmdock.ssh, dest, *CONF.vmdock.command],
                     self._limits(), host=self._host)
        try:
            there.call('resources')
        except ShimError as error:
            raise exception.InstanceFaultRollback(
                self._not_moved(dest, error)) from error
        return there

    def _send_disk(self, instance: Any, there: Shim, here: bool) -> None:
        request: Request = {'instance': convert.instance(instance)}
        with self._acting(instance):
            if here or not self._send_through_registry(request, there):
                self._stream_disk(request, there)

    @staticmethod
    def _forget_disk(instance: Any, there: Shim) -> None:
        """It may have arrived, and only the answer has not."""
        try:
            there.call('migrate_forget',
                       {'instance': convert.instance(instance)})
        except ShimError as error:
            LOG.warning('%s', error, instance=instance)

    def _send_through_registry(self, request: Request, there: Shim) -> bool:
        """Whether there is one; what it has got goes with the process that
        has put it there."""
        with self._shim.begin('migrate_send', request) as sending:
            reference = (sending.line() or {}).get('reference')
            if reference:
                there.call('migrate_receive',
                           {**request, 'reference': reference})
            sending.finish()
        return bool(reference)

    def _stream_disk(self, request: Request, there: Shim) -> None:
        held = {**request, 'hold': CONF.vmdock.shared_engine}
        with there.begin('migrate_receive', request) as receiving, \
                self._shim.begin('save', held, receiving) as sending:
            receiving.end_input()
            try:
                receiving.finish()
            except ShimError:
                # Why a disk came only half is known here, unless it is
                # that nobody reads it any more.
                try:
                    sending.end_input()
                    sending.check()
                except ShimError as error:
                    if error.kind != 'IO':
                        raise
                raise

    def finish_migration(
            self, context: Any, migration: Any, instance: Any,
            disk_info: str, network_info: Any, image_meta: Any,
            resize_instance: bool, allocations: Any,
            block_device_info: Any = None, power_on: bool = True) -> None:
        """Without a word of Neutron's: it may not have noticed that the NICs
        were away."""
        self._settle(instance, image_meta, network_info, power_on,
                     block_device_info, [])

    def finish_revert_migration(
            self, context: Any, instance: Any, network_info: Any,
            migration: Any, block_device_info: Any = None,
            power_on: bool = True) -> None:
        self._settle(instance, instance.image_meta, network_info, power_on,
                     block_device_info,
                     _unplugged(network_info) if power_on else [])

    def _settle(self, instance: Any, image_meta: Any, network_info: Any,
                power_on: bool, block_device_info: Any,
                events: list[Event]) -> None:
        volumes.connect_all(block_device_info)
        request = self._whole(instance, image_meta, network_info, power_on,
                              block_device_info=block_device_info)
        # These it has got when it was made.
        request['instance']['key_data'] = None
        with self._acting(instance):
            self._start('finish_migration', instance, network_info, request,
                        events)

    def confirm_migration(self, context: Any, migration: Any, instance: Any,
                          network_info: Any) -> None:
        if not self._in_place(migration):
            self._call('destroy', instance)
            self._unplug(instance, network_info)
