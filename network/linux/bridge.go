// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// kernelMTU is what the kernel gives a bridge that is made without one.
const kernelMTU = 1500

func (b *Backend) addBridge(o host.AddBridge) error {
	if err := b.canFilterVLANs(o.VLANFiltering); err != nil {
		return fmt.Errorf("bridge %s: %w", o.Link, err)
	}
	born := rtnl.NewLink{Name: o.Link, MAC: o.MAC}
	if o.MTU == kernelMTU {
		// Only a change keeps a bridge from taking the MTU of its ports, and the kernel sees none in the same number.
		born.MTU = kernelMTU - 1
	}
	if err := b.rt.AddBridge(born, bridgeOptions(o)); err != nil {
		return fmt.Errorf("bridge %s: %w", o.Link, err)
	}
	return b.finish(o.Link, host.Bridge, o.MAC, rtnl.Change{MTU: o.MTU, Alias: o.Owner})
}

func bridgeOptions(o host.AddBridge) rtnl.BridgeOptions {
	return rtnl.BridgeOptions{STP: o.STP, ForwardDelay: o.ForwardDelay, VLANFiltering: o.VLANFiltering}
}

func (b *Backend) delBridge(o host.DelBridge) error { return b.delLink(o.Link, host.Bridge, o.MAC) }

// setBridge changes a bridge in several messages, and what one of them has changed back if the next is refused.
func (b *Backend) setBridge(o host.SetBridge) error {
	l, err := b.rt.Link(o.Bridge.Link)
	if err != nil {
		return err
	}
	if mac := host.MAC(l.MAC); kindOf(l) != host.Bridge || mac != o.Was.MAC && mac != o.Bridge.MAC {
		return fmt.Errorf("bridge %s with hardware address %s: %w", o.Bridge.Link, o.Was.MAC, fs.ErrNotExist)
	}
	if err := b.canFilterVLANs(o.Bridge.VLANFiltering); err != nil {
		return fmt.Errorf("bridge %s: %w", o.Bridge.Link, err)
	}
	change := rtnl.Change{MAC: o.Bridge.MAC, MTU: o.Bridge.MTU}
	if o.Bridge.MTU == 0 && o.Was.MTU != 0 {
		if change.MTU, err = b.smallestPort(l.Index); err != nil {
			return err
		}
	}
	err = b.rt.SetBridge(l.Index, bridgeOptions(o.Bridge))
	if err == nil {
		err = b.setFiltering(l, o.Bridge.VLANFiltering)
	}
	if err == nil && o.Bridge.MTU != 0 && o.Bridge.MTU == l.MTU && o.Was.MTU == 0 {
		// Only a change keeps a bridge from taking the MTU of its ports.
		err = b.rt.SetLinkIndex(l.Index, rtnl.Change{MTU: l.MTU - 1})
	}
	if err == nil {
		err = b.rt.SetLinkIndex(l.Index, change)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("bridge %s: %w", o.Bridge.Link, err)
	now := l
	now.Bridge.VLANFiltering = o.Bridge.VLANFiltering
	return errors.Join(err, b.setFiltering(now, l.Bridge.VLANFiltering), b.rt.SetBridge(l.Index, l.Bridge), b.rt.SetLinkIndex(l.Index, rtnl.Change{MAC: l.MAC, MTU: l.MTU}))
}

// setFiltering has a bridge that was just seen keep VLANs apart or not, unless it does so.
func (b *Backend) setFiltering(l rtnl.Link, on bool) error {
	if l.Bridge.VLANFiltering == on {
		return nil
	}
	return b.rt.SetVLANFiltering(l.Index, on)
}

// smallestPort is the smallest MTU of the ports of a bridge, and that of a new bridge if it has none.
func (b *Backend) smallestPort(bridge int) (int, error) {
	links, err := b.rt.Links()
	if err != nil {
		return 0, err
	}
	smallest := 0
	for _, l := range links {
		if l.Master == bridge && (smallest == 0 || l.MTU < smallest) {
			smallest = l.MTU
		}
	}
	if smallest == 0 {
		smallest = kernelMTU
	}
	return smallest, nil
}

// plug looks before it leaps, for the kernel would take a port away from another bridge.
func (b *Backend) plug(o host.Plug) error {
	link, bridge, err := b.portAndBridge(o.Link, o.Bridge)
	if err != nil {
		return err
	}
	if link.Master != 0 {
		return fmt.Errorf("link %s belongs to another device already: %w", o.Link, fs.ErrExist)
	}
	return b.plugInto(link, bridge, o)
}

// plugInto is plug for a link and a bridge that were just seen.
func (b *Backend) plugInto(link, bridge rtnl.Link, o host.Plug) error {
	if err := b.canFilterVLANs(!o.VLANs.IsZero()); err != nil {
		return fmt.Errorf("port %s of %s: %w", o.Link, o.Bridge, err)
	}
	err := b.rt.SetLinkIndex(link.Index, rtnl.Change{Master: bridge.Index})
	if errors.Is(err, fs.ErrInvalid) {
		// The kernel's word also for a bridge that went away in the meantime.
		_, now, lookErr := b.portAndBridge(o.Link, o.Bridge)
		if lookErr == nil && now.Index != bridge.Index {
			lookErr = fmt.Errorf("bridge %s: %w", o.Bridge, fs.ErrNotExist)
		}
		if lookErr != nil {
			return lookErr
		}
	}
	if err != nil {
		return fmt.Errorf("link %s as a port of %s: %w", o.Link, o.Bridge, taken(err))
	}
	// The kernel has no port to set these on before.
	link.Master, link.Port = bridge.Index, rtnl.PortOptions{}
	if err := b.become(link, host.Plug{}, o); err != nil {
		err = fmt.Errorf("port %s of %s: %w", o.Link, o.Bridge, err)
		return errors.Join(err, b.rt.SetLinkIndex(link.Index, rtnl.Change{NoMaster: true}))
	}
	return nil
}

// setPlug moves a port, or sets its flags. What one message has changed is changed back if the next is refused.
func (b *Backend) setPlug(o host.SetPlug) error {
	link, bridge, err := b.portAndBridge(o.Plug.Link, o.Plug.Bridge)
	if err != nil {
		return err
	}
	if link.Master != 0 && link.Master == bridge.Index {
		return b.changePort(link, o)
	}
	_, was, err := b.portAndBridge(o.Was.Link, o.Was.Bridge)
	if err != nil {
		return err
	}
	if link.Master != was.Index {
		return fmt.Errorf("link %s is no port of %s: %w", o.Was.Link, o.Was.Bridge, fs.ErrNotExist)
	}
	// The kernel takes it out of the one bridge first, and leaves it there if the other refuses it.
	if err := b.plugInto(link, bridge, o.Plug); err != nil {
		return errors.Join(err, b.plugInto(link, was, o.Was))
	}
	return nil
}

// changePort changes a port where it is, and changes it back if something is refused.
func (b *Backend) changePort(port rtnl.Link, o host.SetPlug) error {
	if err := b.canFilterVLANs(!o.Plug.VLANs.IsZero()); err != nil {
		return fmt.Errorf("port %s of %s: %w", o.Plug.Link, o.Plug.Bridge, err)
	}
	was := host.Plug{
		Isolated: port.Port.Isolated, NoLearning: port.Port.NoLearning, NoFlood: port.Port.NoFlood,
		Station: o.Was.Station, VLANs: o.Was.VLANs,
	}
	err := b.become(port, was, o.Plug)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("port %s of %s: %w", o.Plug.Link, o.Plug.Bridge, err)
	port.Port = rtnl.PortOptions{Isolated: o.Plug.Isolated, NoLearning: o.Plug.NoLearning, NoFlood: o.Plug.NoFlood}
	return errors.Join(err, b.become(port, o.Plug, was))
}

func (b *Backend) unplug(o host.Unplug) error {
	link, bridge, err := b.portAndBridge(o.Link, o.Bridge)
	if err != nil {
		return err
	}
	if link.Master != bridge.Index {
		return fmt.Errorf("link %s is no port of %s: %w", o.Link, o.Bridge, fs.ErrNotExist)
	}
	if err := b.rt.SetLinkIndex(link.Index, rtnl.Change{NoMaster: true}); err != nil {
		return fmt.Errorf("port %s of %s: %w", o.Link, o.Bridge, err)
	}
	return nil
}

// reflect has a port send back what came in by it, or not.
func (b *Backend) reflect(name string, on bool) error {
	l, err := b.rt.Link(name)
	if err != nil {
		return err
	}
	if l.MasterKind != string(host.Bridge) {
		return fmt.Errorf("link %s is no port of a bridge: %w", name, fs.ErrNotExist)
	}
	if err := b.rt.SetHairpin(l.Index, on); err != nil {
		return fmt.Errorf("port %s: %w", name, err)
	}
	return nil
}

// portAndBridge finds a link and a bridge with one question.
func (b *Backend) portAndBridge(link, bridge string) (l, br rtnl.Link, err error) {
	found, err := b.rt.LinksNamed(link, bridge)
	if err != nil {
		return l, br, err
	}
	for _, f := range found {
		switch f.Name {
		case link:
			l = f
		case bridge:
			br = f
		}
	}
	if l.Index == 0 {
		return l, br, fmt.Errorf("link %s: %w", link, fs.ErrNotExist)
	}
	if kindOf(br) != host.Bridge {
		return l, br, fmt.Errorf("bridge %s: %w", bridge, fs.ErrNotExist)
	}
	return l, br, nil
}
