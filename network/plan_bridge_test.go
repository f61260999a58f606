// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// TestTableOfABridge starts networks that keep the table of their bridge, with and without what the kernel needs for it.
func TestTableOfABridge(t *testing.T) {
	const (
		own    = `<network><name>own</name><bridge name='virbr0' stp='off' macTableManager='libvirt'/></network>`
		onHost = `<network><name>lan</name><forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/></network>`
		onCard = `<network><name>lan</name><forward mode='bridge'/><bridge name='eth0' macTableManager='libvirt'/></network>`
	)
	for name, c := range map[string]struct {
		document, want string
		cannot         bool
	}{
		"own":                 {document: own, want: "link br0 vlan filtering false\nlink virbr0 vlan filtering true\n"},
		"own, cannot":         {document: own, cannot: true, want: "/network/bridge/@macTableManager: the kernel of the host has no VLAN filtering of bridges, which this needs"},
		"of the host":         {document: onHost, want: "link br0 vlan filtering true\n"},
		"of the host, cannot": {document: onHost, cannot: true, want: "/network/bridge/@macTableManager: the kernel of the host has no VLAN filtering"},
		"no bridge":           {document: onCard, want: "/network/bridge/@macTableManager: only a Linux bridge has such a table, and eth0 is none"},
	} {
		t.Run(name, func(t *testing.T) {
			m := hosttest.New("eth0")
			m.NoVLANFiltering = c.cannot
			require.NoError(t, m.Do(t.Context(), host.AddBridge{Link: "br0", MAC: host.MAC{2}}))
			before := m.String()
			err := open(t, m, network.Memory()).Create(t.Context(), parse(t, c.document))
			if c.want[0] == '/' {
				require.ErrorIs(t, err, errors.ErrUnsupported)
				require.ErrorContains(t, err, c.want)
				require.Equal(t, before, m.String())
				return
			}
			require.NoError(t, err)
			f, err := m.Facts(t.Context(), host.Scope{All: true})
			require.NoError(t, err)
			got := ""
			for _, l := range f.Links {
				if l.Kind == host.Bridge {
					got += "link " + l.Name + " vlan filtering "
					if l.VLANFiltering {
						got += "true\n"
					} else {
						got += "false\n"
					}
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}
