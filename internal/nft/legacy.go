// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"unsafe"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// Legacy reads a table of the older ip_tables, or of ip6_tables, in the network namespace of this thread. Its chains stand in a
// table whose name says so. The table has to be there already: the kernel makes one that is asked for.
func Legacy(family host.Family, table string) ([]host.Chain, error) {
	l := layout4
	if family == host.IPv6 {
		l = layout6
	}
	info, entries, err := l.fetch(table)
	if err != nil {
		return nil, fmt.Errorf("table %s of %s: %w", table, l.word+"_tables", err)
	}
	r := &legacy{layout: l, table: table, info: info, entries: entries}
	return r.chains(), nil
}

// A legacyLayout is where a rule has what, in bytes, and how the kernel is asked.
type legacyLayout struct {
	word          string
	domain, level int
	addr          int // how long an address is; both stand first, then both masks
	links         int // names of two links, then both masks
	proto         int // and the flags behind it
	flags         int
	target        int // where the target and the next rule begin
	rule          int // how long a rule is, without matches and target
	leaps         byte
}

var (
	layout4 = legacyLayout{"ip", unix.AF_INET, unix.SOL_IP, 4, 16, 80, 82, 88, 112, 0x02}
	layout6 = legacyLayout{"ip6", unix.AF_INET6, unix.SOL_IPV6, 16, 64, 128, 131, 140, 168, 0x04}
)

const (
	getInfo, getEntries = 64, 65 // IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES
	infoSize, headSize  = 84, 40
	tableName           = 32
	xtHeader            = 32 // before what a match or a target has
)

// fetch asks for what is known of a table, and for its rules.
func (l legacyLayout) fetch(table string) (info, entries []byte, err error) {
	fd, err := unix.Socket(l.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, nil, rtnl.Translate(os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	info = make([]byte, infoSize)
	copy(info[:tableName-1], table)
	if err := l.ask(fd, getInfo, info); err != nil {
		return nil, nil, err
	}
	size := binary.NativeEndian.Uint32(info[infoSize-4:])
	entries = make([]byte, headSize+int(size))
	copy(entries[:tableName-1], table)
	binary.NativeEndian.PutUint32(entries[tableName:], size)
	if err := l.ask(fd, getEntries, entries); err != nil {
		return nil, nil, err
	}
	return info, entries[headSize:], nil
}

func (l legacyLayout) ask(fd, option int, b []byte) error {
	size := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(l.level), uintptr(option),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return rtnl.Translate(os.NewSyscallError("getsockopt", errno))
	}
	return nil
}

// legacy makes chains of what was fetched: rules one behind the other, which lead to each other by their distance from the first.
type legacy struct {
	layout  legacyLayout
	table   string
	info    []byte
	entries []byte
	starts  map[int]string // chains by where they begin
	ends    map[int]bool   // where the policies of hooks are
}

// legacyPriority is when a chain of a table comes.
func legacyPriority(table, hook string) int {
	switch {
	case table == "raw":
		return -300
	case table == "mangle":
		return -150
	case table == "nat" && (hook == "postrouting" || hook == "input"):
		return 100
	case table == "nat":
		return -100
	case table == "security":
		return 50
	}
	return 0
}

func (r *legacy) chains() (chains []host.Chain) {
	r.starts, r.ends = map[int]string{}, map[int]bool{}
	hooks := map[int]string{}
	for i, word := range hookWords {
		if binary.NativeEndian.Uint32(r.info[tableName:])&(1<<i) == 0 {
			continue
		}
		at := int(binary.NativeEndian.Uint32(r.info[tableName+4+4*i:]))
		hooks[at], r.starts[at] = word, strings.ToUpper(word)
		r.ends[int(binary.NativeEndian.Uint32(r.info[tableName+24+4*i:]))] = true
	}
	r.each(func(at int, rule []byte, target []byte) {
		if targetName(target) == "ERROR" {
			r.starts[at+len(rule)] = unix.ByteSliceToString(target[xtHeader:])
		}
	})
	r.each(func(at int, rule []byte, target []byte) {
		if name, begins := r.starts[at]; begins && targetName(target) != "ERROR" {
			c := host.Chain{Family: r.layout.word, Table: r.table + " (legacy)", Name: name}
			if hook := hooks[at]; hook != "" {
				c.Hook, c.Priority, c.Policy = hook, legacyPriority(r.table, hook), host.Accept
			}
			chains = append(chains, c)
		}
		if targetName(target) == "ERROR" || len(chains) == 0 {
			return
		}
		c, read := &chains[len(chains)-1], r.rule(at, rule, target)
		if r.ends[at] {
			c.Policy = read.Do
			return
		}
		c.Rules = append(c.Rules, read)
	})
	return chains
}

// each calls f with every rule, and the target in it.
func (r *legacy) each(f func(at int, rule, target []byte)) {
	for at := 0; at+r.layout.rule <= len(r.entries); {
		rest := r.entries[at:]
		target := int(binary.NativeEndian.Uint16(rest[r.layout.target:]))
		next := int(binary.NativeEndian.Uint16(rest[r.layout.target+2:]))
		if target < r.layout.rule || next < target+xtHeader || next > len(rest) {
			return
		}
		f(at, rest[:next], rest[target:next])
		at += next
	}
}

func targetName(target []byte) string { return unix.ByteSliceToString(target[2:31]) }

// rule makes sense of one rule.
func (r *legacy) rule(at int, rule, target []byte) host.ChainRule {
	l := r.layout
	reader := &ruleReader{proto: "th"}
	inverted := rule[l.flags+1]
	for i, side := range []source{{field: host.Source, word: l.word + " saddr"}, {field: host.Dest, word: l.word + " daddr"}} {
		reader.legacyAddr(side, rule[i*l.addr:(i+1)*l.addr], rule[(i+2)*l.addr:(i+3)*l.addr], inverted&(0x08<<i) != 0)
	}
	for i, side := range []source{{field: host.In, word: "iifname"}, {field: host.Out, word: "oifname"}} {
		name, mask := rule[l.links+16*i:][:16], rule[l.links+32+16*i:][:16]
		reader.legacyLink(side, name, mask, inverted&(0x01<<i) != 0)
	}
	if proto := binary.NativeEndian.Uint16(rule[l.proto:]); proto != 0 {
		reader.condition(source{word: "meta l4proto"}, host.Condition{Field: host.Transport, Not: inverted&0x40 != 0, Protos: []host.Proto{host.Proto(proto)}})
	}
	for rest := rule[l.rule : len(rule)-len(target)]; len(rest) >= xtHeader; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < xtHeader || size > len(rest) {
			break
		}
		reader.match(targetName(rest), uint32(rest[31]), rest[xtHeader:size])
		rest = rest[size:]
	}
	if name := targetName(target); name != "" {
		reader.target(name)
	} else if len(target) >= xtHeader+4 {
		r.verdict(reader, int(int32(binary.NativeEndian.Uint32(target[xtHeader:]))), at+len(rule), rule[l.flags]&l.leaps != 0)
	}
	reader.rule.Text = strings.Join(reader.words, " ")
	return reader.rule
}

// verdict is what a rule without a target of its own does: a number below zero is a verdict, any other is where it leads.
func (r *legacy) verdict(reader *ruleReader, number, next int, leaps bool) {
	v := verdict{code: unix.NFT_JUMP}
	switch {
	case number == -5:
		v.code = unix.NFT_RETURN
	case number < 0:
		v.code = int32(-number - 1)
	case number == next && r.starts[next] == "":
		return // to the next rule
	default:
		if leaps {
			v.code = unix.NFT_GOTO
		}
		v.chain = r.starts[number]
	}
	reader.decide(&reader.rule, v)
	reader.say("%s", v)
}

func (r *ruleReader) legacyAddr(from source, addr, mask []byte, not bool) {
	if zero(mask) && !not {
		return
	}
	a, _ := netip.AddrFromSlice(addr)
	p, err := a.Prefix(ones(string(mask)))
	if err != nil || p.Addr() != a {
		r.unclear(from.word)
		return
	}
	r.condition(from, host.Condition{Field: from.field, Not: not, Prefixes: []netip.Prefix{p}})
}

func (r *ruleReader) legacyLink(from source, name, mask []byte, not bool) {
	if zero(mask) {
		return
	}
	// The mask goes as far as the name has to be the same: for all of it as far as the zero behind.
	text, length := unix.ByteSliceToString(name), len(strings.TrimRight(string(mask), "\x00"))
	if length <= len(text) {
		text = text[:length] + "*"
	}
	r.condition(from, host.Condition{Field: from.field, Not: not, Names: []string{text}})
}
