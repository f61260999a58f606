// SPDX-License-Identifier: Apache-2.0

package servetest

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const serverPort, clientPort = 67, 68

// A Client4 is a guest that speaks DHCPv4.
type Client4 struct {
	*Station
	MAC net.HardwareAddr
	// Barrier is an address of the network at which a server answers whoever informs itself: when it does, what was said
	// before has been answered or never will be. Two guests do not have the same.
	Barrier netip.Addr
}

// A Reply4 is an answer with the frame that brought it.
type Reply4 struct {
	*dhcpv4.DHCPv4
	Datagram Datagram
}

// Packet is a packet of the client.
func (c *Client4) Packet(kind dhcpv4.MessageType, with ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	c.t.Helper()
	p, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(c.MAC), dhcpv4.WithMessageType(kind)}, with...)...)
	if err != nil {
		c.t.Fatalf("a packet of DHCP: %v", err)
	}
	if kind == dhcpv4.MessageTypeNone {
		p.DeleteOption(dhcpv4.OptionDHCPMessageType)
	}
	return p
}

// Ask sends a packet, and returns the answer, nil if there is none.
func (c *Client4) Ask(p *dhcpv4.DHCPv4) *Reply4 {
	c.t.Helper()
	c.Forget()
	c.say(p)
	reply := c.until(p.TransactionID)
	if reply == nil {
		reply = c.until(p.TransactionID) // it may just be on its way
	}
	return reply
}

// Ready waits until the server answers.
func (c *Client4) Ready() { c.until(dhcpv4.TransactionID{}) }

// say sends a packet: to everybody, or from the address that the client has.
func (c *Client4) say(p *dhcpv4.DHCPv4) {
	d := Datagram{
		FromHardware: c.MAC, ToHardware: Everybody, Proto: protoUDP, Data: p.ToBytes(),
		From: netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort),
		To:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), serverPort),
	}
	if own, ok := netip.AddrFromSlice(p.ClientIPAddr.To4()); ok && !own.IsUnspecified() {
		c.Claim(own, c.MAC)
		d.From = netip.AddrPortFrom(own, clientPort)
	}
	if via, ok := netip.AddrFromSlice(p.GatewayIPAddr.To4()); ok && !via.IsUnspecified() {
		c.Claim(via, c.MAC)
		d.From = netip.AddrPortFrom(via, serverPort)
	}
	c.Send(d.Frame())
}

// until waits for the answer to the barrier, and returns the answer with that number, if it came before.
func (c *Client4) until(number dhcpv4.TransactionID) (reply *Reply4) {
	c.t.Helper()
	hardware := net.HardwareAddr{2, 0xba, 0, 0, 0, 1}
	barrier := &Client4{Station: c.Station, MAC: hardware}
	inform := barrier.Packet(dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(c.Barrier.AsSlice()))
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		barrier.say(inform)
		heard := c.within(again, func(frame []byte) bool {
			d, ok := ReadDatagram(frame)
			if !ok || d.From.Port() != serverPort || !d.From.Addr().Is4() {
				return false
			}
			p, err := dhcpv4.FromBytes(d.Data)
			if err != nil || p.OpCode != dhcpv4.OpcodeBootReply {
				return false
			}
			if p.TransactionID == number && reply == nil {
				reply = &Reply4{p, d}
			}
			return p.TransactionID == inform.TransactionID
		})
		if heard {
			return reply
		}
	}
	c.t.Fatal("a client who has an address is not told the rest")
	return nil
}

// Answer is the reply in words. Addresses that were chosen by the server are not told: name says what an address is called, and
// returns "" for one that is told as it is.
func (r *Reply4) Answer(name func(netip.Addr) string) Answer {
	if r == nil {
		return Answer{}
	}
	call := func(ip net.IP) string {
		addr, _ := netip.AddrFromSlice(ip.To4())
		if word := name(addr); word != "" {
			return word
		}
		return addr.String()
	}
	kind := "BOOTP"
	if r.Options.Has(dhcpv4.OptionDHCPMessageType) {
		kind = r.MessageType().String()
	}
	a := Answer{
		"kind": kind, "ciaddr": call(r.ClientIPAddr), "yiaddr": call(r.YourIPAddr), "siaddr": call(r.ServerIPAddr), "giaddr": call(r.GatewayIPAddr),
		"flags": fmt.Sprint(r.Flags), "hops": fmt.Sprint(r.HopCount), "hardware": r.ClientHWAddr.String(),
		"from": fmt.Sprintf("%s:%d", call(r.Datagram.From.Addr().AsSlice()), r.Datagram.From.Port()),
		"to":   fmt.Sprintf("%s:%d", call(r.Datagram.To.Addr().AsSlice()), r.Datagram.To.Port()),
		"card": "the client's",
	}
	if bytes.Equal(r.Datagram.ToHardware, Everybody) {
		a["card"] = "everybody's"
	}
	if r.ServerHostName != "" {
		a["sname"] = r.ServerHostName
	}
	if r.BootFileName != "" {
		a["file"] = r.BootFileName
	}
	for code, value := range r.Options {
		key := fmt.Sprintf("option %d", code)
		switch code {
		case dhcpv4.OptionDHCPMessageType.Code():
			continue
		case dhcpv4.OptionRenewTimeValue.Code(), dhcpv4.OptionRebindingTimeValue.Code():
			a[key] = "some time" // dnsmasq lets a chance decide, so that guests do not come together
		case dhcpv4.OptionMessage.Code():
			a[key] = "some words"
		case dhcpv4.OptionRouter.Code(), dhcpv4.OptionDomainNameServer.Code(), dhcpv4.OptionServerIdentifier.Code(), dhcpv4.OptionBroadcastAddress.Code(), dhcpv4.OptionSubnetMask.Code():
			a[key] = addrsText(value)
		case dhcpv4.OptionDomainName.Code(), dhcpv4.OptionHostName.Code(), dhcpv4.OptionBootfileName.Code(), dhcpv4.OptionTFTPServerName.Code():
			a[key] = fmt.Sprintf("%q", value)
		default:
			a[key] = fmt.Sprintf("%x", value)
		}
	}
	return a
}

func addrsText(data []byte) string {
	var list []string
	for ; len(data) >= 4; data = data[4:] {
		list = append(list, netip.AddrFrom4([4]byte(data)).String())
	}
	return strings.Join(list, " ")
}
