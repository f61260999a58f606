// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// addVeth makes the peer where it belongs: it is never seen in this namespace. The kernel refuses a peer that is up from
// its first moment.
func (b *Backend) addVeth(o host.AddVeth, n birth) error {
	guest, err := openNamespace(o.Namespace)
	if err != nil {
		return err
	}
	defer guest.Close()
	err = b.rt.AddVeth(
		rtnl.NewLink{Name: o.Link, MAC: o.MAC, MTU: o.MTU},
		rtnl.NewLink{Name: o.Peer, MAC: o.PeerMAC, MTU: o.MTU},
		int(guest.Fd()),
	)
	if err != nil {
		return fmt.Errorf("veth %s with peer %s in %s: %w", o.Link, o.Peer, o.Namespace, err)
	}
	if err := b.raise(o.Link, rtnl.Change{Alias: o.Owner}, n); err != nil {
		return errors.Join(err, b.delLink(o.Link, host.Veth, o.MAC))
	}
	return nil
}

func (b *Backend) delVeth(o host.DelVeth) error { return b.delLink(o.Link, host.Veth, o.MAC) }
