// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// The conditions of iptables, which its version for nf_tables puts into rules as they are: structures of C, with the name and the
// revision of the match.

// match makes sense of a condition of iptables.
func (r *ruleReader) match(name string, revision uint32, info []byte) {
	clear := false
	switch name {
	case "comment":
		r.say("comment %q", unix.ByteSliceToString(info))
		return
	case "conntrack":
		clear = r.matchTrack(revision, info)
	case "state":
		clear = len(info) >= 4 && r.matchState(binary.NativeEndian.Uint32(info), false)
	case "tcp":
		clear = len(info) >= 12 && info[9] == 0 && info[8] == 0 && r.matchPorts(info, info[11])
	case "udp":
		clear = len(info) >= 9 && r.matchPorts(info, info[8])
	case "multiport":
		clear = revision == 1 && len(info) >= 48 && r.matchMultiport(info)
	}
	if !clear {
		r.unclear("xt match " + name)
	}
}

// matchTrack reads the match conntrack, of which only the state is understood.
func (r *ruleReader) matchTrack(revision uint32, info []byte) bool {
	const (
		atFlags, atInverted, atStates = 146, 148, 150
		ofState                       = 1       // XT_CONNTRACK_STATE
		asState                       = 1 << 13 // the same under its older name: XT_CONNTRACK_STATE_ALIAS
	)
	if revision < 2 || len(info) < atStates+2 || binary.NativeEndian.Uint16(info[atFlags:])&^asState != ofState {
		return false
	}
	inverted := binary.NativeEndian.Uint16(info[atInverted:])&ofState != 0
	return r.matchState(uint32(binary.NativeEndian.Uint16(info[atStates:])), inverted)
}

// matchState is a condition on the state of a connection. The lowest bits are those of nf_tables.
func (r *ruleReader) matchState(states uint32, not bool) bool {
	const (
		translated = 1 << 7 // XT_CONNTRACK_STATE_DNAT
		untracked  = 1 << 8
		known      = uint32(host.Invalid | host.Established | host.Related | host.New)
	)
	if states == translated {
		r.condition(source{word: "ct status"}, host.Condition{Field: host.Forwarded, Not: not})
		return true
	}
	if states&^(known|untracked) != 0 {
		return false
	}
	c := host.Condition{Field: host.State, Not: not, States: host.ConnState(states & known)}
	if states&untracked != 0 {
		c.States |= host.Untracked
	}
	r.condition(source{word: "ct state"}, c)
	return true
}

// matchPorts reads what the matches tcp and udp begin with: the ranges of both ports.
func (r *ruleReader) matchPorts(info []byte, inverted byte) bool {
	for i, field := range []host.Field{host.SourcePort, host.DestPort} {
		ports := host.PortRange{From: binary.NativeEndian.Uint16(info[4*i:]), To: binary.NativeEndian.Uint16(info[4*i+2:])}
		not := inverted&(1<<i) != 0
		if ports == (host.PortRange{From: 0, To: 65535}) && !not {
			continue // any
		}
		r.portCondition(field, host.Condition{Not: not, Ports: []host.PortRange{ports}})
	}
	return true
}

// matchMultiport reads the match multiport: ports and ranges, either of the source or of the destination.
func (r *ruleReader) matchMultiport(info []byte) bool {
	const (
		most                          = 15
		atPorts, atRanges, atInverted = 2, 32, 47
	)
	field, known := map[byte]host.Field{0: host.SourcePort, 1: host.DestPort}[info[0]]
	count := int(info[1])
	if !known || count > most {
		return false
	}
	c := host.Condition{Not: info[atInverted] != 0}
	for i := 0; i < count; i++ {
		ports := host.PortRange{From: binary.NativeEndian.Uint16(info[atPorts+2*i:])}
		ports.To = ports.From
		if info[atRanges+i] != 0 && i+1 < count {
			i++
			ports.To = binary.NativeEndian.Uint16(info[atPorts+2*i:])
		}
		c.Ports = append(c.Ports, ports)
	}
	r.portCondition(field, c)
	return true
}

func (r *ruleReader) portCondition(field host.Field, c host.Condition) {
	c.Field = field
	word := map[host.Field]string{host.SourcePort: " sport", host.DestPort: " dport"}[field]
	r.condition(source{word: r.proto + word}, c)
}
