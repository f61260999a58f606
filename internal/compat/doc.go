// SPDX-License-Identifier: Apache-2.0

// Package compat holds no code; its tests measure how far this library agrees with libvirt 11.3 in Compat mode, and
// keep docs/compat.md and docs/rules.md in step with the source.
//
// The documents are not part of this repository. The environment variable VIRTNET_CORPUS names a folder with them:
//
//	networks.jsonl    {"id", "xml", "accept", "canonical", "error"}: a <network>, whether libvirt defines it, and what it then says
//	interfaces.jsonl  the same for an <interface>, defined in a domain of the hypervisor-neutral test driver
//	libvirt-tests/    inputs and expected outputs of libvirt's own tests, by its folder names
package compat
