# SPDX-License-Identifier: Apache-2.0
"""The compute driver of vmdock: instances are containers.

All behaviour is in vmdock-nova, a program that runs as root; here is what
only Python can do: Nova's objects to JSON and back, os-vif, Glance.
"""
