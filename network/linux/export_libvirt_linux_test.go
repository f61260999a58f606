// SPDX-License-Identifier: Apache-2.0

package linux

// LibvirtFolder is the folder below which libvirt has its files.
func (b *Backend) LibvirtFolder() string { return string(b.libvirt()) }
