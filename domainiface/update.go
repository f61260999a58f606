// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// Update makes the device of a running guest what another interface says: virsh update-device. What may be another is what
// it is connected to, as long as that is a bridge before and after, its VLANs, profile, limits and isolation, its filter, how
// packets are gathered, the trust in the guest's filters and the link state. What i leaves open of the rest stays as it
// is: its MAC address, the name of its device, alias and address. A difference in anything else wraps
// errors.ErrUnsupported and names the place. So does another device of the host or another mode: a guest on one of those can
// have other limits, but not stand on another.
//
// All of it is done or nothing, and only what differs is touched: an update of the link state alone is for the hypervisor, and
// changes nothing on the host. The interface stays the caller's. A port that was made without [Attach] wraps
// errors.ErrUnsupported. Other errors are those of Attach.
func (p *Port) Update(ctx context.Context, i *Interface) error {
	if p.Interface == nil {
		return fmt.Errorf("port %s was not attached from an interface: %w", p.ID, errors.ErrUnsupported)
	}
	rules := p.nets.Rules()
	if err := i.ValidateAs(rules); err != nil {
		return err
	}
	i, err := p.Interface.updated(i, rules)
	if err != nil {
		return err
	}
	return p.change(ctx, i)
}

// SetBandwidth limits the device of a running guest: virsh domiftune. A nil direction stays as it is, wherever that comes
// from; one that says neither an average nor a floor is not limited any more. The floor of a port on a network is checked
// as if the port had none yet.
func (p *Port) SetBandwidth(ctx context.Context, inbound, outbound *qos.Rate) error {
	if p.Interface == nil {
		return fmt.Errorf("port %s was not attached from an interface: %w", p.ID, errors.ErrUnsupported)
	}
	i := p.Interface.Clone()
	i.Bandwidth = p.Document.Bandwidth.Clone().With(inbound, outbound)
	if err := i.ValidateAs(p.nets.Rules()); err != nil {
		return err
	}
	return p.change(ctx, i)
}

// change asks the manager for what i says now, and takes over what became of it.
func (p *Port) change(ctx context.Context, i *Interface) error {
	req, err := request(p.Guest, i, p.nets.Rules(), p.vepa())
	if err != nil {
		return err
	}
	plan := req.Plan
	req.Plan = func(doc *network.Port, link string, f *host.Facts) (host.Plan, error) {
		p.asBefore(f)
		next, err := plan(doc, link, f)
		if err != nil {
			return nil, err
		}
		next = keepReceive(next, p.Built, doc)
		if i.MTU != nil {
			return next, nil
		}
		return keepMTU(next, p.Built), nil
	}
	s, err := p.nets.ChangePort(ctx, p.Network, p.ID, req)
	if err != nil {
		return err
	}
	changed, err := portOf(p.nets, s)
	if err != nil {
		return err
	}
	*p = *changed
	return nil
}

// keepMTU plans the guest's device with the MTU that it has: that of the bridge may be another by now.
func keepMTU(next, built host.Plan) host.Plan {
	if len(next) == 0 || len(built) == 0 {
		return next
	}
	switch op := next[0].Op.(type) {
	case host.AddTap:
		if was, ok := built[0].Op.(host.AddTap); ok {
			op.MTU = was.MTU
			next[0].Op = op
		}
	case host.AddVeth:
		if was, ok := built[0].Op.(host.AddVeth); ok {
			op.MTU = was.MTU
			next[0].Op = op
		}
	}
	return next
}

// changeable are the fields of an interface that may be others while the guest runs.
var changeable = []string{
	"Type", "Source", "VLAN", "VirtualPort", "Bandwidth", "Port", "FilterRef", "Coalesce", "TrustGuestRxFilters", "Link",
}

// kept are the fields that stay as they are where the new interface has none.
var kept = []string{"MAC", "Target", "Alias", "Address"}

// uncompared are the fields in which libvirt takes a change that has no effect.
var uncompared = []string{"Teaming", "IPs", "Routes", "PortForwards", "Downscript", "BackendDomain", "Guest", "Managed"}

// updated returns to, with what it leaves open as it is for i, of which a guest runs.
func (i *Interface) updated(to *Interface, rules schema.Rules) (*Interface, error) {
	next := to.Clone()
	if next.MAC != nil && next.MAC.Address.IsZero() {
		next.MAC = nil
	}
	if next.MAC == nil && rules.Skips(UpdateKeepsMAC) {
		return nil, cannotChange("/interface/mac")
	}
	if t := next.Target; t != nil && t.Dev == "" && schema.IsBare(t.Extra) {
		next.Target = nil
	}
	if i.Kind() == Network && next.Kind() == Network && i.Source.PortGroup != next.Source.PortGroup {
		return nil, cannotChange("/interface/source/@portgroup")
	}
	was, now := reflect.ValueOf(i).Elem(), reflect.ValueOf(next).Elem()
	for n := range now.NumField() {
		field := now.Type().Field(n)
		if !field.IsExported() || field.Tag.Get("xml") == "-" || slices.Contains(changeable, field.Name) ||
			slices.Contains(uncompared, field.Name) && rules.Skips(UpdateCompares) {
			continue
		}
		if slices.Contains(kept, field.Name) && now.Field(n).IsZero() {
			now.Field(n).Set(was.Field(n))
			continue
		}
		if !reflect.DeepEqual(was.Field(n).Interface(), now.Field(n).Interface()) {
			return nil, cannotChange("/interface/" + pathOf(field))
		}
	}
	return next.Clone(), nil
}

func cannotChange(path string) error {
	return fmt.Errorf("%s: it cannot be changed while the guest runs: %w", path, errors.ErrUnsupported)
}

// pathOf is the element or attribute of a field.
func pathOf(field reflect.StructField) string {
	name, options, _ := strings.Cut(field.Tag.Get("xml"), ",")
	switch {
	case field.Anonymous || field.Name == "XMLName":
		return ""
	case strings.HasPrefix(options, "attr"):
		return "@" + name
	}
	return name
}

// Match finds the interface of a guest that want is about, as virsh update-device and detach-device do: by its MAC address,
// address in the guest and alias, all that want says. It returns the index. None wraps fs.ErrNotExist, more than one
// fs.ErrInvalid.
func Match(interfaces []*Interface, want *Interface) (int, error) {
	found := -1
	want = want.Clone()
	want.Normalize(schema.Rules{})
	for n, i := range interfaces {
		i = i.Clone()
		i.Normalize(schema.Rules{})
		if !i.matches(want) {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("interfaces number %d and %d both fit: %w", found+1, n+1, fs.ErrInvalid)
		}
		found = n
	}
	if found < 0 {
		return -1, fmt.Errorf("the guest has no such interface: %w", fs.ErrNotExist)
	}
	return found, nil
}

// matches reports whether i has all that want says of who it is.
func (i *Interface) matches(want *Interface) bool {
	if m := want.MAC; m != nil && !m.Address.IsZero() && (i.MAC == nil || i.MAC.Address != m.Address) {
		return false
	}
	if a := want.Alias; a != nil && (i.Alias == nil || i.Alias.Name != a.Name) {
		return false
	}
	return want.Address == nil || reflect.DeepEqual(i.Address, want.Address)
}
