// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"io/fs"
	"slices"
)

// An Op is one change of a machine, as a value: complete in itself, by names and never by the kernel's indexes, with
// what it replaces in it. All operations are the exported structs of this package.
type Op interface {
	// Check says whether the operation makes sense on any machine: names that are no device names, addresses of
	// two families in one route. Its error wraps fs.ErrInvalid.
	Check() error
	// Inverse is the operation that takes this one back. It touches only what this one made. It is nil for a change of
	// shared host state, which is given back when its last user goes, or never, and not when a plan is taken back.
	Inverse() Op
	// Scope names the facts that Holds needs.
	Scope() Scope
	// Holds reports whether the machine already is as the operation leaves it.
	Holds(*Facts) bool
	// String is one stable line in the words of iproute2 and nft.
	String() string
}

// invalid makes the error of a Check.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrInvalid)...)
}

// operations lists one value of every operation: the names under which plans are stored.
func operations() []Op {
	return []Op{
		AddBridge{}, DelBridge{},
		AddTap{}, DelTap{},
		AddVeth{}, DelVeth{},
		AddMacvtap{}, DelMacvtap{}, Raise{},
		AddMacvlan{}, DelMacvlan{},
		FilterVLANs{}, SetReceive{},
		Plug{}, Unplug{},
		Reflect{}, Unreflect{},
		SetUp{}, SetDown{},
		SetMTU{},
		AddAddr{}, DelAddr{},
		AddRoute{}, DelRoute{},
		SetSysctl{},
		EnableForwarding{}, DisableForwarding{},
		SetFilter{},
		SetZone{},
		Register{}, Unregister{},
		SetShape{},
		AddClass{}, DelClass{}, SetClass{},
		FillChecksums{}, UnfillChecksums{},
		Associate{}, Disassociate{}, AddProfile{}, DelProfile{},
		Serve{}, Unserve{}, SetServer{},
		SetBridge{}, SetPlug{},
		SetFunction{}, SetDriver{},
		AddOVSPort{}, DelOVSPort{}, SetOVSPort{},
		SetOwner{},
		TakeServer{}, ReturnServer{},
		Disown{}, Own{}, DropRules{},
	}
}

// LinksOf are the names of the links of the machine that an operation is about; some may be there twice.
func LinksOf(op Op) []string {
	scope := op.Scope()
	links := slices.Concat(scope.Links, scope.Shapes)
	if on, ok := op.(interface{ on() string }); ok {
		links = append(links, on.on())
	}
	return links
}

// What Plan.Inverse needs to know: which operations make a link, and which only touch one.
func (o AddBridge) makes() string  { return o.Link }
func (o AddTap) makes() string     { return o.Link }
func (o AddVeth) makes() string    { return o.Link }
func (o AddMacvtap) makes() string { return o.Link }
func (o AddMacvlan) makes() string { return o.place() } // no link of this namespace, whatever its name

// What Plan.Lost needs to know: which function an operation changes.
func (o SetFunction) changes() (PCI, uint64) { return o.PCI, o.Generation }
func (o SetDriver) changes() (PCI, uint64)   { return o.PCI, o.Generation }

func (o Register) on() string   { return o.Link }
func (o Unregister) on() string { return o.Link }
func (o SetUp) on() string      { return o.Link }
func (o SetOwner) on() string   { return o.Link }
func (o SetBridge) on() string  { return o.Bridge.Link }
func (o SetPlug) on() string    { return o.Plug.Link }
func (o SetDown) on() string    { return o.Link }
func (o Raise) on() string      { return o.Link }
func (o SetMTU) on() string     { return o.Link }
func (o Plug) on() string       { return o.Link }
func (o Unplug) on() string     { return o.Link }
func (o Reflect) on() string    { return o.Link }
func (o Unreflect) on() string  { return o.Link }
func (o AddAddr) on() string    { return o.Link }
func (o DelAddr) on() string    { return o.Link }
func (o AddRoute) on() string   { return o.Link }
func (o DelRoute) on() string   { return o.Link }
func (o SetSysctl) on() string  { return sysctlLink(o.Key) }
func (o SetShape) on() string   { return o.Link }
func (o AddClass) on() string   { return o.Link }
func (o DelClass) on() string   { return o.Link }
func (o SetClass) on() string   { return o.Class.Link }

func (o FillChecksums) on() string   { return o.Link }
func (o UnfillChecksums) on() string { return o.Link }
