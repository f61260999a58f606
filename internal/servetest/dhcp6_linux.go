// SPDX-License-Identifier: Apache-2.0

package servetest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

const serverPort6, clientPort6 = 547, 546

var (
	allServers = netip.MustParseAddr("ff02::1:2")
	allRouters = netip.MustParseAddr("ff02::2")
)

// A Client6 is a guest that speaks DHCPv6.
type Client6 struct {
	*Station
	MAC net.HardwareAddr
	// Addr is its address on the link, which is its own to choose.
	Addr netip.Addr
	DUID []byte
}

// Option6 is an option of DHCPv6.
func Option6(code uint16, parts ...[]byte) []byte {
	var value []byte
	for _, p := range parts {
		value = append(value, p...)
	}
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, code), uint16(len(value))), value...)
}

// Find6 is the value of the first option of that number, nil if there is none.
func Find6(options []byte, code uint16) []byte {
	for len(options) >= 4 {
		size := int(binary.BigEndian.Uint16(options[2:]))
		if len(options) < 4+size {
			break
		}
		if binary.BigEndian.Uint16(options) == code {
			return options[4 : 4+size : 4+size]
		}
		options = options[4+size:]
	}
	return nil
}

// A Reply6 is an answer: its kind, its options, and the frame that brought it.
type Reply6 struct {
	Kind     byte
	Options  []byte
	Datagram Datagram
}

// Ask sends a message with these options, and returns the answer, nil if there is none. The client's identifier is added.
func (c *Client6) Ask(kind dhcpv6.MessageType, options ...[]byte) *Reply6 {
	c.t.Helper()
	c.Forget()
	if c.DUID != nil {
		options = append([][]byte{Option6(1, c.DUID)}, options...)
	}
	number := c.say(byte(kind), options...)
	reply := c.until(number)
	if reply == nil {
		reply = c.until(number) // it may just be on its way
	}
	return reply
}

// Ready waits until the server answers.
func (c *Client6) Ready() { c.until(0) }

// A number is that of a conversation.
type number uint32

// say sends a message to all servers, and returns its number.
func (c *Client6) say(kind byte, options ...[]byte) number {
	c.mu.Lock()
	c.conversations++
	own := c.conversations
	c.mu.Unlock()
	message := binary.BigEndian.AppendUint32(nil, uint32(own)|uint32(kind)<<24)
	for _, o := range options {
		message = append(message, o...)
	}
	c.Claim(c.Addr, c.MAC)
	to := allServers.As16()
	d := Datagram{
		FromHardware: c.MAC, ToHardware: append(net.HardwareAddr{0x33, 0x33}, to[12:]...), Proto: protoUDP, Hops: 1, Data: message,
		From: netip.AddrPortFrom(c.Addr, clientPort6), To: netip.AddrPortFrom(allServers, serverPort6),
	}
	c.Send(d.Frame())
	return own
}

// until waits for the answer to somebody who asks for information, and returns the answer with that number, if it came before.
func (c *Client6) until(wanted number) (reply *Reply6) {
	c.t.Helper()
	const informationRequest = 11
	barrier := &Client6{Station: c.Station, MAC: net.HardwareAddr{2, 0xba, 0, 0, 0, 1}, Addr: netip.MustParseAddr("fe80::ba:1")}
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		asked := barrier.say(informationRequest, Option6(1, []byte{0, 3, 0, 1, 2, 0xba, 0, 0, 0, 1}), Option6(8, []byte{0, 0}))
		heard := c.within(again, func(frame []byte) bool {
			d, ok := ReadDatagram(frame)
			if !ok || d.From.Port() != serverPort6 || len(d.Data) < 4 {
				return false
			}
			got := number(binary.BigEndian.Uint32(d.Data) & 0xffffff)
			if got == wanted && reply == nil {
				reply = &Reply6{Kind: d.Data[0], Options: d.Data[4:], Datagram: d}
			}
			return got == asked
		})
		if heard {
			return reply
		}
	}
	c.t.Fatal("a client who asks for information is not answered")
	return nil
}

// Answer is the reply in words; name is that of [Reply4.Answer].
func (r *Reply6) Answer(name func(netip.Addr) string) Answer {
	if r == nil {
		return Answer{}
	}
	a := Answer{"kind": dhcpv6.MessageType(r.Kind).String(), "to": fmt.Sprint(r.Datagram.To)}
	for code, value := range options6(r.Options) {
		a[fmt.Sprintf("option %d", code)] = strings.Join(value, " and ")
	}
	if ia := Find6(r.Options, 3); ia != nil {
		a["option 3"] = association(ia, name)
	}
	const server = 2
	if a[fmt.Sprintf("option %d", server)] != "" {
		a[fmt.Sprintf("option %d", server)] = "some identifier"
	}
	for _, code := range []uint16{23} {
		if v := Find6(r.Options, code); v != nil {
			a[fmt.Sprintf("option %d", code)] = addrs6Text(v)
		}
	}
	if v := Find6(r.Options, 13); len(v) >= 2 {
		a["option 13"] = fmt.Sprint(binary.BigEndian.Uint16(v)) // the message is for people
	}
	return a
}

func options6(options []byte) map[uint16][]string {
	all := map[uint16][]string{}
	for len(options) >= 4 {
		size := int(binary.BigEndian.Uint16(options[2:]))
		if len(options) < 4+size {
			break
		}
		code := binary.BigEndian.Uint16(options)
		all[code] = append(all[code], hex.EncodeToString(options[4:4+size]))
		options = options[4+size:]
	}
	return all
}

// association tells an identity association: its times, its addresses, and its status.
func association(ia []byte, name func(netip.Addr) string) string {
	if len(ia) < 12 {
		return "cut off"
	}
	words := []string{fmt.Sprintf("id %x", ia[:4])}
	if v := Find6(ia[12:], 5); len(v) >= 24 {
		addr := netip.AddrFrom16([16]byte(v))
		text := name(addr)
		if text == "" {
			text = addr.String()
		}
		words = append(words, fmt.Sprintf("%s for %d %d", text, binary.BigEndian.Uint32(v[16:]), binary.BigEndian.Uint32(v[20:])))
		if status := Find6(v[24:], 13); len(status) >= 2 {
			words = append(words, fmt.Sprintf("status %d", binary.BigEndian.Uint16(status)))
		}
	}
	if status := Find6(ia[12:], 13); len(status) >= 2 {
		words = append(words, fmt.Sprintf("status %d", binary.BigEndian.Uint16(status)))
	}
	return strings.Join(words, ", ")
}

// Given is the address that an identity association in options has, and not valid if it has none.
func Given(options []byte) netip.Addr {
	if ia := Find6(options, 3); len(ia) >= 12 {
		if v := Find6(ia[12:], 5); len(v) >= 24 {
			return netip.AddrFrom16([16]byte(v))
		}
	}
	return netip.Addr{}
}

func addrs6Text(data []byte) string {
	var list []string
	for ; len(data) >= 16; data = data[16:] {
		list = append(list, netip.AddrFrom16([16]byte(data)).String())
	}
	return strings.Join(list, " ")
}

// Solicit asks routers to speak, and returns what one says: its fields and options, in any order.
func (c *Client6) Solicit() Answer {
	c.t.Helper()
	const solicitation, advertisement = 133, 134
	c.Claim(c.Addr, c.MAC)
	to := allRouters.As16()
	d := Datagram{
		FromHardware: c.MAC, ToHardware: append(net.HardwareAddr{0x33, 0x33}, to[12:]...), Proto: protoICMP6, Hops: 255,
		From: netip.AddrPortFrom(c.Addr, 0), To: netip.AddrPortFrom(allRouters, 0), Data: append([]byte{solicitation, 0, 0, 0, 0, 0, 0, 0, 1, 1}, c.MAC...),
	}
	var answer Answer
	c.Forget()
	c.Until("an advertisement of a router", d.Frame(), func(frame []byte) bool {
		d, ok := ReadDatagram(frame)
		if !ok || d.Proto != protoICMP6 || d.Data[0] != advertisement || len(d.Data) < 16 {
			return false
		}
		answer = advertised(d)
		return true
	})
	return answer
}

func advertised(d Datagram) Answer {
	m := d.Data
	a := Answer{
		"hop limit": fmt.Sprint(m[4]), "flags": fmt.Sprintf("%08b", m[5]), "lifetime": fmt.Sprint(binary.BigEndian.Uint16(m[6:])),
		"reachable": fmt.Sprint(binary.BigEndian.Uint32(m[8:])), "retransmit": fmt.Sprint(binary.BigEndian.Uint32(m[12:])), "hops": fmt.Sprint(d.Hops),
	}
	all := map[string][]string{}
	for m = m[16:]; len(m) >= 8; {
		size := int(m[1]) * 8
		if size == 0 || size > len(m) {
			break
		}
		o, key := m[:size], fmt.Sprintf("option %d", m[0])
		const hardware, prefix = 1, 3
		switch {
		case o[0] == hardware:
			all[key] = append(all[key], "an address")
		case o[0] == prefix && size == 32:
			all[key] = append(all[key], fmt.Sprintf("%s/%d flags %08b for %d %d", netip.AddrFrom16([16]byte(o[16:])), o[2], o[3], binary.BigEndian.Uint32(o[4:]), binary.BigEndian.Uint32(o[8:])))
		default:
			all[key] = append(all[key], hex.EncodeToString(o[2:]))
		}
		m = m[size:]
	}
	for key, list := range all {
		sort.Strings(list)
		a[key] = strings.Join(list, " and ")
	}
	return a
}
