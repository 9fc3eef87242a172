# SPDX-License-Identifier: Apache-2.0
"""Nova loads drivers as nova.virt.NAME alone.

compute_driver = vmdock.DockerDriver
"""

from vmdock_nova.driver import DockerDriver

__all__ = ['DockerDriver']
