# SPDX-License-Identifier: Apache-2.0
"""Nova's objects as the JSON of doc/nova-protocol.md."""

from __future__ import annotations

import base64
from typing import Any

from nova.api.metadata import base as instance_metadata
from oslo_serialization import jsonutils

from vmdock_nova.shim import Request

# Of each version that a metadata service has, the newest one is enough.
CONFIG_DRIVE = ('openstack/latest/', 'openstack/content/', 'ec2/latest/')
FLAVOR = ('memory_mb', 'vcpus', 'swap', 'root_gb')
INSTANCE = ('uuid', 'hostname', 'display_name', 'key_data')
CONNECTION = ('device_path', 'export', 'name', 'format', 'options',
              'access_mode', 'encrypted', 'qos_specs', 'volume_id')
IMAGE = ('id', 'container_format', 'checksum', 'size')


def _base64(content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return base64.b64encode(raw).decode()


def instance(obj: Any) -> Request:
    flavor = obj.flavor
    return {
        **{name: obj[name] for name in INSTANCE},
        'system_metadata': {key: value
                            for key, value in obj.system_metadata.items()
                            if key.startswith('image_')},
        'flavor': {**{name: flavor[name] for name in FLAVOR},
                   'extra_specs': dict(flavor.get('extra_specs') or {})},
    }


def image(meta: Any) -> Request:
    found = {name: getattr(meta, name) for name in IMAGE
             if meta.obj_attr_is_set(name)}
    properties = {}
    if meta.obj_attr_is_set('properties'):
        command = meta.properties.get('os_command_line')
        if command:
            properties['os_command_line'] = command
    return {**found, 'properties': properties}


def network(network_info: Any) -> list[Request]:
    return jsonutils.to_primitive(list(network_info or []))


def vif(one: Any) -> Request:
    return jsonutils.to_primitive(one)


def connection(info: Any) -> Request:
    """Without what gives access to the volume's storage."""
    data = info['data']
    return {'driver_volume_type': info['driver_volume_type'],
            'serial': info.get('serial') or data.get('volume_id'),
            'data': {name: data[name] for name in CONNECTION
                     if data.get(name) is not None}}


def block_devices(info: Any) -> Request:
    """None leaves the volumes as they are."""
    if not info:
        return {}
    return {'block_device_info': {
        'root_device_name': info.get('root_device_name'),
        'block_device_mapping': [
            {'connection_info': connection(one['connection_info']),
             'mount_device': one['mount_device'],
             'boot_index': one.get('boot_index')}
            for one in info.get('block_device_mapping') or []]}}


def injected(files: Any) -> list[list[str]]:
    return [[path, _base64(content)] for path, content in files or []]


def config_drive(obj: Any, files: Any, password: str | None,
                 network_info: Any) -> dict[str, str]:
    extra = {'admin_pass': password} if password else {}
    metadata = instance_metadata.InstanceMetadata(
        obj, content=files, extra_md=extra, network_info=network_info)
    return {path: _base64(content)
            for path, content in metadata.metadata_for_config_drive()
            if path.startswith(CONFIG_DRIVE)}
