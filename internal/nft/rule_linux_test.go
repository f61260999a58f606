// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var (
	net4   = netip.MustParsePrefix("192.168.7.0/24")
	net6   = netip.MustParsePrefix("2001:db8:7::/64")
	addrs4 = host.AddrRange{From: netip.MustParseAddr("203.0.113.5"), To: netip.MustParseAddr("203.0.113.9")}
	one4   = host.AddrRange{From: addrs4.From, To: addrs4.From}
	addrs6 = host.AddrRange{From: netip.MustParseAddr("2001:db8::5"), To: netip.MustParseAddr("2001:db8::9")}
	one6   = host.AddrRange{From: addrs6.From, To: addrs6.From}
	high   = host.PortRange{From: 1024, To: 65535}
)

// filterRules are rules of every kind that may let pass or not, natRules of every kind that may translate.
func filterRules() []host.Rule {
	rules := []host.Rule{
		{Do: host.Return},
		{Do: host.Reject},
		{Do: host.Drop},
		{Family: host.IPv4, Do: host.Drop},
		{Family: host.IPv6, Do: host.Reject},
		{In: "br0", Do: host.Return},
		{Out: "br0", Do: host.Return},
		{In: "a", Out: "fifteen-letters", Do: host.Return},
		{In: "star*", Out: "plus+", Do: host.Return},
		{Proto: host.TCP, Do: host.Return},
		{Proto: host.UDP, Do: host.Reject},
		{Proto: 47, Do: host.Drop},
		{Proto: 255, Do: host.Drop},
		{Established: true, Do: host.Return},
		{Forwarded: true, Do: host.Return},
		{Forwarded: true, Established: true, In: "br0", Do: host.Drop},
		{Proto: host.TCP, DstPorts: host.PortRange{From: 80, To: 80}, Do: host.Return},
		{Proto: host.UDP, DstPorts: host.PortRange{From: 8000, To: 8010}, Do: host.Reject},
		{Dst: netip.MustParsePrefix("192.168.7.9/32"), Proto: host.SCTP, DstPorts: host.PortRange{From: 1, To: 65535}, Forwarded: true, Do: host.Return},
		{Dst: net6, Proto: host.TCP, DstPorts: host.PortRange{From: 443, To: 444}, Established: true, Forwarded: true, Do: host.Return},
		{Src: net4, Dst: netip.MustParsePrefix("10.0.0.0/8"), Do: host.Return},
		{Src: net4, NotDst: net4, Do: host.Return},
		{Dst: net4, NotDst: netip.MustParsePrefix("192.168.7.128/25"), Do: host.Return},
		{Family: host.IPv4, Src: net4, Do: host.Return},
		{Family: host.IPv4, In: "br0", Src: net4, Dst: net4, NotDst: net4, Do: host.Return},
		{Family: host.IPv6, Out: "br0", NotDst: net6, Do: host.Return},
		{Src: net6, Dst: net6, NotDst: net6, Proto: host.TCP, Established: true, In: "br0", Out: "br1", Do: host.Reject},
		{Family: host.IPv6, Src: net6, Dst: net6, NotDst: net6, Proto: host.UDP, Established: true, In: "br0", Out: "br1", Do: host.Drop},
	}
	for bits := range 33 {
		p, _ := netip.MustParseAddr("172.29.171.215").Prefix(bits)
		rules = append(rules, host.Rule{Src: p, Do: host.Return}, host.Rule{NotDst: p, Do: host.Drop})
	}
	for bits := range 129 {
		p, _ := netip.MustParseAddr("2001:db8:aaaa:5555:cccc:3333:f0f0:ff5b").Prefix(bits)
		rules = append(rules, host.Rule{Dst: p, Do: host.Return})
	}
	return rules
}

func natRules() []host.Rule {
	return []host.Rule{
		{Do: host.Return},
		{Src: net4, Dst: netip.MustParsePrefix("255.255.255.255/32"), Do: host.Return},
		{Do: host.Masquerade},
		{Src: net4, NotDst: net4, Do: host.Masquerade},
		{Src: net4, NotDst: net4, Out: "eth0", Proto: host.TCP, Do: host.Masquerade, Ports: high},
		{Src: net6, NotDst: net6, Proto: host.UDP, Do: host.Masquerade, Ports: host.PortRange{From: 5000, To: 5000}},
		{Proto: host.TCP, Do: host.Masquerade, Ports: host.PortRange{From: 1, To: 65535}},
		{Src: net4, Do: host.SNAT, Addrs: addrs4},
		{Src: net4, Do: host.SNAT, Addrs: one4},
		{Src: net4, Proto: host.TCP, Do: host.SNAT, Addrs: addrs4, Ports: high},
		{Src: net4, Proto: host.UDP, Do: host.SNAT, Addrs: one4, Ports: high},
		{Src: net4, Proto: host.UDP, Do: host.SNAT, Addrs: one4, Ports: host.PortRange{From: 7, To: 7}},
		{Src: net6, Do: host.SNAT, Addrs: addrs6},
		{Do: host.SNAT, Addrs: one6},
		{Src: net6, Proto: host.TCP, Do: host.SNAT, Addrs: addrs6, Ports: high},
		{Src: net6, Proto: host.TCP, Do: host.SNAT, Addrs: one6, Ports: host.PortRange{From: 7, To: 7}},
	}
}

// everyKind is a filter with all of them.
func everyKind() host.Filter {
	return host.Filter{Network: "n1", Link: "br0", From: filterRules(), To: filterRules(), NAT: natRules()}
}

func allRules(t *testing.T) []host.Rule {
	f := everyKind()
	require.NoError(t, host.SetFilter{Network: "n1", Filter: f}.Check())
	return append(f.From, f.NAT...)
}

// bytesOf is a rule's program as it stands in a message.
func bytesOf(steps []expr) []byte {
	var w writer
	w.program(unix.NFTA_RULE_EXPRESSIONS, steps)
	return w[unix.SizeofNlAttr:]
}

func TestRuleRoundTrip(t *testing.T) {
	seen := map[string]host.Rule{}
	for _, r := range allRules(t) {
		b := bytesOf(program(nil, r))
		require.Equal(t, r, readRule(readProgram(b)), "%s", r)
		if other, ok := seen[string(b)]; ok {
			require.Equal(t, r, other, "two rules have one program")
		}
		seen[string(b)] = r
	}
}

// Rules that were thrown together keep their meaning as well.
func TestRuleRoundTripRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	rules, checked := allRules(t), 0
	pick := func() host.Rule { return rules[random.IntN(len(rules))] }
	for range 20000 {
		r := pick()
		r.Family, r.In, r.Out = pick().Family, pick().In, pick().Out
		r.Src, r.Dst, r.NotDst = pick().Src, pick().Dst, pick().NotDst
		r.Proto, r.Established = pick().Proto, pick().Established
		r.DstPorts, r.Forwarded = pick().DstPorts, pick().Forwarded
		f := host.Filter{Network: "n1", Link: "br0", From: []host.Rule{r}}
		if r.Do == host.Masquerade || r.Do == host.SNAT {
			f.From, f.NAT = nil, f.From
		}
		if (host.SetFilter{Network: "n1", Filter: f}).Check() != nil {
			continue
		}
		checked++
		require.Equal(t, r, readRule(readProgram(bytesOf(program(nil, r)))), "%s", r)
	}
	require.Greater(t, checked, 2000)
}

// The bytes are what nft sends for the same text.
func TestRuleBytes(t *testing.T) {
	cases := []struct {
		name string
		rule host.Rule
		want []string
	}{{
		name: "drop",
		rule: host.Rule{Do: host.Drop},
		want: []string{
			"14000180" + "0c000100" + "636f756e74657200" + "04000280", // counter
			"30000180" + "0e000100" + "696d6d65646961746500" + "0000" + // immediate
				"1c000280" + "08000100" + "00000000" + "10000280" + "0c000280" + "08000100" + "00000000",
		},
	}, {
		name: "reject",
		rule: host.Rule{Do: host.Reject},
		want: []string{
			"14000180" + "0c000100" + "636f756e74657200" + "04000280",
			"24000180" + "0b000100" + "72656a65637400" + "00" + // reject
				"14000280" + "08000100" + "00000002" + "05000200" + "01" + "000000",
		},
	}, {
		name: "family",
		rule: host.Rule{Family: host.IPv6, Do: host.Drop},
		want: []string{
			"24000180" + "09000100" + "6d65746100" + "000000" + "14000280" + "08000200" + "0000000f" + "08000100" + "00000001", // meta
			"2c000180" + "08000100" + "636d7000" + // cmp
				"20000280" + "08000100" + "00000001" + "08000200" + "00000000" + "0c000380" + "05000100" + "0a" + "000000",
			"14000180" + "0c000100" + "636f756e74657200" + "04000280",
			"30000180" + "0e000100" + "696d6d65646961746500" + "0000" +
				"1c000280" + "08000100" + "00000000" + "10000280" + "0c000280" + "08000100" + "00000000",
		},
	}}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, strings.Join(c.want, ""), hex.EncodeToString(bytesOf(program(nil, c.rule))))
		})
	}
}

// What is not a rule of ours is like no rule that a filter can have.
func TestStrangeRules(t *testing.T) {
	is := func(key uint32, data string) []expr {
		return []expr{loadMeta{key, 1}, compare{1, unix.NFT_CMP_EQ, data}}
	}
	end := []expr{count{}, verdict{code: unix.NFT_RETURN}}
	cases := []struct {
		name  string
		steps []expr
	}{
		{"nothing", nil},
		{"no counter", []expr{verdict{code: unix.NFT_RETURN}}},
		{"no verdict", []expr{count{}}},
		{"two verdicts", append(end, verdict{code: drop})},
		{"accept", []expr{count{}, verdict{code: accept}}},
		{"jump", []expr{count{}, verdict{unix.NFT_JUMP, "elsewhere"}}},
		{"verdict first", []expr{verdict{code: unix.NFT_RETURN}, count{}}},
		{"other register", append([]expr{loadMeta{unix.NFT_META_IIFNAME, 2}, compare{2, unix.NFT_CMP_EQ, linkKey("br0")}}, end...)},
		{"part of a name", append(is(unix.NFT_META_IIFNAME, "br"), end...)},
		{"no name", append(is(unix.NFT_META_IIFNAME, linkKey("")), end...)},
		{"other name", append([]expr{loadMeta{unix.NFT_META_IIFNAME, 1}, compare{1, unix.NFT_CMP_NEQ, linkKey("br0")}}, end...)},
		{"other order", append(append(is(unix.NFT_META_OIFNAME, linkKey("br0")), is(unix.NFT_META_IIFNAME, linkKey("br0"))...), end...)},
		{"twice", append(append(is(unix.NFT_META_IIFNAME, linkKey("br0")), is(unix.NFT_META_IIFNAME, linkKey("br0"))...), end...)},
		{"mark", append(is(unix.NFT_META_MARK, "\x00\x00\x00\x01"), end...)},
		{"no comparison", append([]expr{loadMeta{unix.NFT_META_IIFNAME, 1}}, end...)},
		{"address without family", append([]expr{loadHeader{false, source4, 4, 1}, compare{1, unix.NFT_CMP_EQ, "\x0a\x00\x00\x01"}}, end...)},
		{"not from", append(append(is(unix.NFT_META_NFPROTO, "\x02"), loadHeader{false, source4, 4, 1}, compare{1, unix.NFT_CMP_NEQ, "\x0a\x00\x00\x01"}), end...)},
		{"part of the header", append(append(is(unix.NFT_META_NFPROTO, "\x02"), loadHeader{false, 8, 1, 1}, compare{1, unix.NFT_CMP_EQ, "\x40"}), end...)},
		{"mask with holes", append(append(is(unix.NFT_META_NFPROTO, "\x02"), loadHeader{false, source4, 4, 1}, mask{1, "\xff\x00\xff\x00"}, compare{1, unix.NFT_CMP_EQ, "\x0a\x00\x00\x00"}), end...)},
		{"other states", append([]expr{loadTrack{unix.NFT_CT_STATE, 1}, mask{1, "\x02\x00\x00\x00"}, compare{1, unix.NFT_CMP_NEQ, "\x00\x00\x00\x00"}}, end...)},
		{"reset", []expr{count{}, reject{unix.NFT_REJECT_TCP_RST, 0}}},
		{"random port", []expr{count{}, masquerade{flags: 4}}},
		{"register without value", []expr{count{}, masquerade{1, 2, mapsPorts}}},
		{"register that is none", []expr{count{}, masquerade{1000, 2000, mapsPorts}}},
		{"unknown", append([]expr{unknown{"limit"}}, end...)},
		{"map", leadOf(from)},
		{"our own first rule", staysOnLink("br0")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := readRule(c.steps)
			require.Contains(t, string(r.Do), "unknown: ")
			f := host.Filter{Network: "n1", Link: "br0", From: []host.Rule{r}}
			require.Error(t, host.SetFilter{Network: "n1", Filter: f}.Check())
			if c.name != "unknown" { // which has no attributes to read back
				require.Equal(t, r, readRule(readProgram(bytesOf(c.steps))))
			}
		})
	}
}

func leadOf(l list) []expr { return lead{to: l}.program() }

// Attributes that this package does not know make a step an unknown one, unless they are zero.
func TestStrangeAttributes(t *testing.T) {
	counter := func(kind uint16, value byte) []expr {
		var w writer
		w.nested(unix.NFTA_LIST_ELEM, func() {
			w.text(unix.NFTA_EXPR_NAME, "counter")
			w.nested(unix.NFTA_EXPR_DATA, func() { w.bytes(kind, []byte{0, value}) })
		})
		return readProgram(w)
	}
	require.Equal(t, []expr{count{}}, counter(9, 0))
	require.Equal(t, []expr{count{}}, counter(99, 0))
	require.Equal(t, []expr{unknown{"counter"}}, counter(9, 1))
	require.Equal(t, []expr{unknown{"counter"}}, counter(99, 1))
	require.Equal(t, []expr{unknown{"damaged"}}, readProgram([]byte{1, 2, 3}))
}

func FuzzReadRule(f *testing.F) {
	for _, r := range append(filterRules()[:30], natRules()...) {
		f.Add(bytesOf(program(nil, r)))
	}
	f.Add(bytesOf(staysOnLink("br0")))
	f.Fuzz(func(t *testing.T, b []byte) {
		steps := readProgram(b)
		r := readRule(steps)
		if strings.HasPrefix(string(r.Do), "unknown: ") {
			return
		}
		require.Equal(t, r, readRule(readProgram(bytesOf(program(nil, r)))))
		require.Equal(t, steps, program(nil, r))
	})
}

func FuzzReadMessages(f *testing.F) {
	var m messages
	m.askElement("from", "br0")
	f.Add([]byte(m.out)[headers:])
	b := newBatch(7)
	b.addBase(bases()[0])
	f.Add([]byte(b.out)[headers:])
	f.Fuzz(func(_ *testing.T, b []byte) {
		readGeneration(b)
		readTable(b)
		readMap(b)
		c, _ := readChain(b, Table)
		r, _ := readRuleMessage(b, Table)
		set := ruleset{chains: []chain{c, {name: "from-n1"}}, elements: readElements(b), rules: []rule{r}}
		set.filters(func(string) bool { return true })
		for kind := range uint16(unix.NFT_MSG_DELOBJ + 1) {
			ignore := func(string) {}
			notice(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | kind}, Data: b}, ignore, ignore)
		}
	})
}
