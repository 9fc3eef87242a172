# SPDX-License-Identifier: Apache-2.0
"""Cinder's volumes on this host, as far as os-brick brings them here.

What is mounted, and how, is vmdock-nova's part; so are local devices and
NFS shares as a whole.
"""

from __future__ import annotations

import collections.abc
from typing import Any

import nova.conf
from nova import exception
from nova import utils
from nova.virt import driver
from os_brick import exception as brick_exception
from os_brick import initiator
from os_brick.initiator import connector
from oslo_concurrency import processutils
from oslo_log import log as logging

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF

# The others are there without anybody's doing.
CONNECTED = {'iscsi': initiator.ISCSI}


def _connector(info: Any) -> Any:
    protocol = CONNECTED.get(info['driver_volume_type'])
    return protocol and connector.InitiatorConnector.factory(
        protocol, utils.get_root_helper(),
        use_multipath=CONF.libvirt.volume_use_multipath,
        device_scan_attempts=CONF.libvirt.num_volume_scan_tries,
        transport=CONF.libvirt.iscsi_iface or 'default')


def properties() -> dict[str, Any]:
    """What Cinder must know of this host to give it a volume."""
    plain = {'ip': CONF.my_block_storage_ip, 'host': CONF.host,
             'initiator': None}
    try:
        return connector.get_connector_properties(
            utils.get_root_helper(), CONF.my_block_storage_ip,
            CONF.libvirt.volume_use_multipath,
            enforce_multipath=CONF.libvirt.volume_enforce_multipath,
            host=CONF.host)
    except Exception as error:
        LOG.warning('os-brick cannot tell the initiators of this host, local '
                    'and NFS volumes do without: %s', error)
        return plain


def infos(block_device_info: Any) -> collections.abc.Iterator[Any]:
    for one in driver.block_device_info_get_mapping(block_device_info):
        yield one['connection_info']


def connect(info: Any) -> None:
    """Leaves the device's path in INFO, which Nova keeps."""
    found = _connector(info)
    if not found:
        return
    try:
        device = found.connect_volume(info['data'])
    except (brick_exception.BrickException,
            processutils.ProcessExecutionError) as error:
        raise exception.VolumeAttachFailed(
            volume_id=info.get('serial'),
            reason='os-brick: %s' % error) from error
    info['data']['device_path'] = device['path']


def disconnect(info: Any) -> None:
    """Fine if it is not connected."""
    found = _connector(info)
    if not found:
        return
    try:
        found.disconnect_volume(info['data'], None)
    except brick_exception.VolumeDeviceNotFound:
        pass
    except Exception as error:
        LOG.warning('the volume %s stays connected to this host: %s',
                    info.get('serial'), error)


def extend(info: Any) -> None:
    """Lets the host see the volume's new size."""
    found = _connector(info)
    if found:
        found.extend_volume(info['data'])


def connect_all(block_device_info: Any) -> None:
    done: list[Any] = []
    try:
        for info in infos(block_device_info):
            connect(info)
            done.append(info)
    except Exception:
        for info in done:
            disconnect(info)
        raise


def disconnect_all(block_device_info: Any) -> None:
    for info in infos(block_device_info):
        disconnect(info)
