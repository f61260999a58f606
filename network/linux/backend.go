// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Backend = (*Backend)(nil)

// A Backend works on one network namespace of a Linux machine. It may be used by many goroutines.
type Backend struct {
	config Config
	// ns is the file of config.Namespace, and nil if that is empty.
	ns *os.File
	// rt is open in the namespace.
	rt *rtnl.Conn
	// nft opens its socket there when it is first needed.
	nft *nft.Conn
	// tc opens its socket there when it is first needed.
	tc *tc.Conn
	// instance identifies the boot and the namespace.
	instance string
	servers  servers
	shapes   shapes
	repairs  repairs
	vlans    vlans
	switches switches
	vsis     vsis
	stations stations
	reaper   reaper
	privacy  privacy
	taps     keptTaps
	// kinds are those of links, by their indexes, that others were plugged into or stand on.
	kinds sync.Map
	// sys is the folder of sysfs, and vfio that of the devices which are handed over.
	sys, vfio string
	// vfs and bus are the kernel's.
	vfs vfs
	bus bus
	// messages is the address of the message bus; empty is none.
	messages string
}

// Open prepares a backend. It changes nothing on the machine. A missing Namespace wraps fs.ErrNotExist, and a file that is
// no network namespace wraps fs.ErrInvalid.
func Open(config Config) (*Backend, error) {
	ns, err := openNamespace(config.Namespace)
	if err != nil {
		return nil, err
	}
	b := &Backend{config: config, ns: ns, messages: config.systemBus(), sys: "/sys", vfio: "/dev/vfio", bus: kernelBus{}}
	if b.rt, err = rtnl.Open(b.enter); err != nil {
		return nil, errors.Join(err, b.closeNamespace())
	}
	b.vfs = b.rt
	b.nft = nft.New(b.enter)
	b.tc = tc.New(b.enter, b.rt)
	if b.instance, err = b.identify(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives back what the backend holds open, and waits for devices that were discarded. What it built stays, but for servers
// that are tied to it. No method may be called afterwards.
func (b *Backend) Close() error {
	err := errors.Join(b.closeReaper(), b.servers.here.close())
	b.stations.close()
	b.servers.close()
	b.privacy.close()
	b.taps.close()
	return errors.Join(err, b.tc.Close(), b.rt.Close(), b.nft.Close(), b.closeNamespace())
}

// Facts looks at the machine; see [host.Backend].
func (b *Backend) Facts(ctx context.Context, scope host.Scope) (*host.Facts, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := &host.Facts{Instance: b.instance}
	if scope.IsZero() {
		return f, nil
	}
	scope, err := b.functionFacts(scope, f)
	if err != nil {
		return nil, err
	}
	looks := []func(context.Context, host.Scope, *host.Facts) error{
		b.netlinkFacts, b.checksumFacts, b.procFacts, b.filterFacts, b.zoneFacts, b.resolverFacts, b.serverFacts, b.associationFacts, b.profileFacts, b.ovsFacts, b.libvirtFacts,
	}
	for _, look := range looks {
		if err := look(ctx, scope, f); err != nil {
			return nil, fmt.Errorf("look at the host: %w", err)
		}
	}
	f.Sort()
	return f, nil
}

// netlinkFacts are those that rtnetlink knows.
func (b *Backend) netlinkFacts(_ context.Context, scope host.Scope, f *host.Facts) error {
	if scope.All || scope.Addrs || scope.Routes || scope.VLANs || len(scope.Links)+len(scope.Bare)+len(scope.Near) > 0 {
		if err := b.linkFacts(scope, f); err != nil {
			return fmt.Errorf("links: %w", err)
		}
	}
	if err := b.switchFacts(scope, f); err != nil {
		return err
	}
	if err := b.receiveFacts(scope, f); err != nil {
		return err
	}
	if err := b.guestFacts(scope, f); err != nil {
		return err
	}
	return b.shapeFacts(scope, f)
}

// procFacts are those that are files.
func (b *Backend) procFacts(_ context.Context, scope host.Scope, f *host.Facts) error {
	forwarding := scope.All || scope.Forwarding
	if !forwarding && len(scope.Sysctls) == 0 {
		return nil
	}
	scope.Sysctls = b.living(scope.Sysctls)
	return b.enter(func() error {
		if err := sysctlFacts(scope, f); err != nil || !forwarding {
			return err
		}
		return forwardingFacts(f)
	})
}

// Do carries out one operation; see [host.Backend].
func (b *Backend) Do(ctx context.Context, op host.Op) error {
	if err := op.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.pass(op); err != nil {
		return err
	}
	err := b.do(ctx, op)
	if err != nil && b.makeRoom(op, err) {
		err = b.do(ctx, op)
	}
	if err == nil || explained(err) {
		return err
	}
	return b.resolve(context.WithoutCancel(ctx), op, err)
}

// explained reports whether an error is an answer: nothing was done then. Another one leaves that open, such as an answer that was
// lost on its way.
func explained(err error) bool {
	return slices.ContainsFunc([]error{fs.ErrExist, fs.ErrNotExist, fs.ErrInvalid, fs.ErrPermission, errors.ErrUnsupported}, func(answer error) bool {
		return errors.Is(err, answer)
	})
}

// resolve looks what has become of an operation that ended with an error which does not tell: it may have been done, or a part of it,
// which is taken back.
func (b *Backend) resolve(ctx context.Context, op host.Op, err error) error {
	inverse := op.Inverse()
	scope := op.Scope()
	if inverse != nil {
		scope = scope.And(inverse.Scope())
	}
	f, lookErr := b.Facts(ctx, scope)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case op.Holds(f):
		return nil
	case inverse == nil || inverse.Holds(f):
		return err
	}
	if undo := b.do(ctx, inverse); undo != nil && !errors.Is(undo, fs.ErrNotExist) {
		return errors.Join(err, undo)
	}
	return err
}

func (b *Backend) do(ctx context.Context, op host.Op) error {
	switch op := op.(type) {
	case host.AddBridge:
		err := b.addBridge(op)
		if err == nil {
			b.followDevice(ctx, op.Link)
		}
		return err
	case host.DelBridge:
		return b.delBridge(op)
	case host.DelTap:
		return b.delTap(op)
	case host.DelVeth:
		return b.delVeth(op)
	case host.AddTap, host.AddVeth, host.AddMacvtap:
		return b.bear(op, birth{})
	case host.DelMacvtap:
		return b.delMacvtap(op)
	case host.AddMacvlan:
		return b.addMacvlan(op)
	case host.DelMacvlan:
		return b.delMacvlan(ctx, op)
	case host.Raise:
		return b.setLink(op.Link, rtnl.Change{Up: true})
	case host.Plug:
		return b.plug(op)
	case host.Unplug:
		return b.unplug(op)
	case host.Reflect:
		return b.reflect(op.Link, true)
	case host.Unreflect:
		return b.reflect(op.Link, false)
	case host.SetUp:
		return b.setLink(op.Link, rtnl.Change{Up: true})
	case host.SetDown:
		return b.setLink(op.Link, rtnl.Change{Down: true})
	case host.SetMTU:
		return b.setLink(op.Link, rtnl.Change{MTU: op.MTU})
	case host.AddAddr:
		return b.addAddr(op)
	case host.DelAddr:
		return b.delAddr(op)
	case host.AddRoute:
		return b.addRoute(op)
	case host.DelRoute:
		return b.delRoute(op)
	case host.SetSysctl:
		return b.setSysctl(op)
	case host.EnableForwarding:
		return b.setForwarding(op.IPv6, true)
	case host.DisableForwarding:
		return b.setForwarding(op.IPv6, false)
	case host.SetFilter:
		return b.setFilter(ctx, op)
	case host.SetZone:
		return b.setZone(ctx, op)
	case host.Register:
		return b.register(ctx, op)
	case host.Unregister:
		return b.unregister(ctx, op)
	case host.SetShape:
		return b.setShape(op)
	case host.AddClass:
		return b.addClass(host.Class(op))
	case host.DelClass:
		return b.delClass(host.Class(op))
	case host.SetClass:
		return b.setClass(op)
	case host.FillChecksums:
		return b.fillChecksums(ctx, op)
	case host.UnfillChecksums:
		return b.unfillChecksums(op)
	case host.Associate:
		return b.associate(ctx, op)
	case host.Disassociate:
		return b.disassociate(ctx, op)
	case host.AddProfile:
		return b.addProfile(ctx, op)
	case host.DelProfile:
		return b.delProfile(ctx, op)
	case host.Serve:
		return b.serve(ctx, op)
	case host.Unserve:
		return b.unserve(ctx, op)
	case host.SetServer:
		return b.setServer(ctx, op)
	case host.FilterVLANs:
		return b.filterVLANs(op)
	case host.SetReceive:
		return b.setReceive(op)
	case host.SetBridge:
		return b.setBridge(op)
	case host.SetPlug:
		return b.setPlug(op)
	case host.SetFunction:
		return b.setFunction(ctx, op)
	case host.SetDriver:
		return b.setDriver(ctx, op)
	case host.AddOVSPort:
		return b.addOVSPort(ctx, host.OVSPort(op))
	case host.DelOVSPort:
		return b.ovsdb().DelPort(ctx, host.OVSPort(op))
	case host.SetOVSPort:
		return b.ovsdb().SetPort(ctx, op.Port)
	case host.SetOwner:
		return b.setOwner(op)
	case host.TakeServer:
		return b.takeServer(ctx, op)
	case host.ReturnServer:
		return b.returnServer(ctx, op)
	case host.Disown:
		return b.disown(op)
	case host.Own:
		return b.own(op)
	case host.DropRules:
		return b.dropRules(ctx, op)
	}
	return fmt.Errorf("operation %T: %w", op, errors.ErrUnsupported)
}
