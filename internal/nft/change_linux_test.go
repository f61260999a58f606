// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// whole is the view of a table in which everything is as it should be, with more chains of others.
func whole(others uint32, own ...list) view {
	v := view{generation: 7, table: &table{use: 5 + others + uint32(len(own))}, maps: [lists]bool{true, true, true}}
	for i := range v.bases {
		v.bases[i] = state{true, true}
	}
	for _, l := range own {
		v.chains[l] = state{true, true}
	}
	return v
}

func TestChange(t *testing.T) {
	f := host.Filter{Network: "n1", Link: "br0", From: []host.Rule{{Do: host.Drop}}, NAT: []host.Rule{{Do: host.Masquerade}}}
	plain := host.Filter{Network: "n1", Link: "br0", From: []host.Rule{{Do: host.Reject}}}
	set := func(filter, was host.Filter) host.SetFilter {
		return host.SetFilter{Network: "n1", Filter: filter, Was: was}
	}
	with := func(v view, elements ...element) view {
		v.elements = elements
		return v
	}
	damaged := func(change func(*view)) view {
		v := whole(1)
		change(&v)
		return v
	}
	addFrame := []string{
		"add map from", "add map to", "add map nat",
		"add chain forward", "add rule to chain forward", "add rule to chain forward",
		"add chain postrouting", "add rule to chain postrouting",
	}
	addF := []string{
		"add chain from-n1", "add rule to chain from-n1", "add to map from link br0",
		"add chain to-n1", "add to map to link br0",
		"add chain nat-n1", "add rule to chain nat-n1", "add rule to chain nat-n1", "add to map nat link br0",
	}
	addPlain := []string{
		"add chain from-n1", "add rule to chain from-n1", "add to map from link br0",
		"add chain to-n1", "add to map to link br0",
		"add chain nat-n1", "add rule to chain nat-n1", "add to map nat link br0",
	}
	replaceF := []string{
		"flush chain from-n1", "add rule to chain from-n1",
		"flush chain to-n1",
		"flush chain nat-n1", "add rule to chain nat-n1", "add rule to chain nat-n1",
	}
	all := []element{leading(from, "br0", "from-n1"), leading(to, "br0", "to-n1"), leading(nat, "br0", "nat-n1")}
	deleteAll := []string{
		"delete from map from link br0", "delete from map to link br0", "delete from map nat link br0",
		"delete chain from-n1", "delete chain to-n1", "delete chain nat-n1",
	}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	cases := []struct {
		name string
		view view
		op   host.SetFilter
		want []string
		err  error
	}{
		{"first", view{}, set(f, host.Filter{}), join([]string{"add table virtnet"}, addFrame, addF), nil},
		{"further", whole(1), set(f, host.Filter{}), addF, nil},
		{"there already", whole(0, from), set(f, host.Filter{}), nil, fs.ErrExist},
		{"partly there already", whole(0, nat), set(f, host.Filter{}), nil, fs.ErrExist},
		{"link of another", with(whole(1), leading(from, "br0", "from-n2")), set(f, host.Filter{}), nil, fs.ErrExist},
		{"link of something else", with(whole(1), element{"to", "br0", verdict{code: drop}}), set(f, host.Filter{}), nil, fs.ErrExist},
		{"none and none", view{}, set(host.Filter{}, host.Filter{}), nil, nil},
		{"there although nothing was", whole(0, from), set(host.Filter{}, host.Filter{}), nil, fs.ErrExist},
		{"replace what is not there", whole(1), set(f, plain), nil, fs.ErrNotExist},
		{"delete what is not there", view{}, set(host.Filter{}, f), nil, fs.ErrNotExist},
		{
			"replace", with(whole(0, from, to, nat), all...), set(f, plain), replaceF, nil,
		},
		{
			"replace on another link", with(whole(1, from, to, nat), leading(from, "br9", "from-n1"), leading(from, "br8", "from-n2")), set(f, plain),
			join([]string{"delete from map from link br9"}, replaceF[:2], addF[2:3], replaceF[2:3], addF[4:5], replaceF[3:], addF[8:]), nil,
		},
		{
			"replace where a map leads elsewhere", with(whole(0, from, to, nat), all[0], leading(to, "br0", "from-n1"), all[2]), set(f, plain),
			join([]string{"delete from map to link br0"}, replaceF[:3], addF[4:5], replaceF[3:]), nil,
		},
		{
			"replace where a chain is missing", with(whole(0, from, nat), all[0], all[2]), set(f, plain),
			join(replaceF[:2], addF[3:5], replaceF[3:]), nil,
		},
		{
			"replace where a chain is another", damaged(func(v *view) {
				v.chains = [lists]state{{true, true}, {true, false}, {true, true}}
				v.elements = []element{all[0], all[2]}
			}), set(f, plain),
			join(replaceF[:2], []string{"delete chain to-n1"}, addF[3:5], replaceF[3:]), nil,
		},
		{"delete beside others", with(whole(1, from, to, nat), all...), set(host.Filter{}, f), deleteAll, nil},
		{"delete the last", with(whole(0, from, to, nat), all...), set(host.Filter{}, f), []string{"delete table virtnet"}, nil},
		{"delete what is left of the last", with(whole(0, nat), all[0]), set(host.Filter{}, f), []string{"delete table virtnet"}, nil},
		{
			"delete beside another's link", with(whole(1, from), leading(from, "br0", "from-n2")), set(host.Filter{}, f),
			[]string{"delete chain from-n1"}, nil,
		},
		{
			"dormant", damaged(func(v *view) { v.table.dormant = true }), set(plain, host.Filter{}),
			join([]string{"add table virtnet"}, addPlain), nil,
		},
		{
			"flushed chain", damaged(func(v *view) { v.bases[0].whole = false }), set(plain, host.Filter{}),
			join([]string{"delete chain forward"}, addFrame[3:6], addPlain), nil,
		},
		{
			"no chain and no map", damaged(func(v *view) { v.bases[1], v.maps[nat] = state{}, false }), set(plain, host.Filter{}),
			join(addFrame[2:3], addFrame[6:], addPlain), nil,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBatch(1)
			b.addChain("of the last change")
			b.begin(1)
			needed, err := c.view.change(b, c.op)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want != nil, needed)
			if !needed {
				return
			}
			b.end()
			require.Equal(t, "change ruleset\n"+strings.Join(c.want, "\n")+"\nend of change", changes(b))
		})
	}
}

func changes(b *batch) string {
	var lines []string
	for _, w := range b.what {
		lines = append(lines, fmt.Sprint(w))
	}
	return strings.Join(lines, "\n")
}

func TestBatchSaysWhatItNeeds(t *testing.T) {
	b := newBatch(0x01020304)
	b.addChain("from-n1")
	b.end()
	b.number(5)
	var got []string
	for m := []byte(b.out); len(m) > 0; {
		n := m[0] // short, and little endian
		got = append(got, fmt.Sprintf("%x", m[:n]))
		m = m[n:]
	}
	require.Equal(t, []string{
		"1c000000" + "1000" + "0100" + "05000000" + "00000000" + "0000000a" + "08000100" + "01020304",
		"2c000000" + "030a" + "0506" + "06000000" + "00000000" + "01000000" + "0c000100" + "766972746e657400" + "0c000300" + "66726f6d2d6e3100",
		"14000000" + "1100" + "0100" + "07000000" + "00000000" + "0000000a",
	}, got)
}
