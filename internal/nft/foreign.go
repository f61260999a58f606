// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// families are those whose chains may stop packets of a network, with nft's words.
var families = map[uint8]string{unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet", unix.NFPROTO_BRIDGE: "bridge"}

var hookWords = [...]string{"prerouting", "input", "forward", "output", "postrouting"}

// A place is where a chain or a set stands.
type place struct {
	family      uint8
	table, name string
}

// ours reports whether a table is one of this package.
func (p place) ours() bool {
	return p.table == Table && p.family == unix.NFPROTO_INET || slices.ContainsFunc(annexes[:], func(a annex) bool {
		return p.table == a.table && families[p.family] == a.family
	})
}

// Foreign reads the chains of other programs. Links are the names of the links by their indexes. A machine without
// nf_tables has none.
func (c *Conn) Foreign(ctx context.Context, links map[uint32]string) (chains []host.Chain, err error) {
	err = c.repeat(ctx, func(s *socket) (again bool, err error) {
		r := &foreign{socket: s, links: links, sets: map[place]*foreignSet{}}
		chains, err = r.read()
		return err == nil && r.interrupted, err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return chains, err
}

// foreign reads what is not ours.
type foreign struct {
	socket      *socket
	links       map[uint32]string
	sets        map[place]*foreignSet
	interrupted bool
}

// dump reads a list of all tables.
func (r *foreign) dump(kind int, object string, take func(family uint8, a attrs)) error {
	return r.dumpOf(unix.AF_UNSPEC, kind, object, nil, take)
}

// dumpOf reads a list of the tables of one family, of which body may name a part.
func (r *foreign) dumpOf(family uint8, kind int, object string, body func(*writer), take func(family uint8, a attrs)) error {
	m := &messages{}
	m.raw(unix.NFNL_SUBSYS_NFTABLES<<8|uint16(kind), netlink.Dump, family, 0, what{verb: "list", object: object}, body)
	changed, err := r.socket.all(m, func(a answer) { take(a.family, readAttrs(a.body)) })
	r.interrupted = r.interrupted || changed
	return err
}

func (r *foreign) read() (chains []host.Chain, err error) {
	at := map[place]int{}
	dormant := map[place]bool{}
	err = r.dump(unix.NFT_MSG_GETTABLE, "tables", func(family uint8, a attrs) {
		if a.number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0 {
			dormant[place{family, a.text(unix.NFTA_TABLE_NAME), ""}] = true
		}
	})
	if err != nil {
		return nil, err
	}
	err = r.dump(unix.NFT_MSG_GETCHAIN, "chains", func(family uint8, a attrs) {
		p := place{family, a.text(unix.NFTA_CHAIN_TABLE), a.text(unix.NFTA_CHAIN_NAME)}
		if families[family] == "" || p.ours() || dormant[place{family, p.table, ""}] {
			return
		}
		c := host.Chain{Family: families[family], Table: p.table, Name: p.name}
		if data := a.take(unix.NFTA_CHAIN_HOOK); data != nil {
			hook := readAttrs(data)
			if number := hook.number(unix.NFTA_HOOK_HOOKNUM); int(number) < len(hookWords) {
				c.Hook, c.Priority, c.Policy = hookWords[number], int(int32(hook.number(unix.NFTA_HOOK_PRIORITY))), host.Accept
				if a.number(unix.NFTA_CHAIN_POLICY) == drop {
					c.Policy = host.Drop
				}
			}
		}
		at[p] = len(chains)
		chains = append(chains, c)
	})
	if err != nil {
		return nil, err
	}
	type program struct {
		chain int
		table place
		steps []step
	}
	var programs []program
	err = r.dump(unix.NFT_MSG_GETRULE, "rules", func(family uint8, a attrs) {
		p := place{family, a.text(unix.NFTA_RULE_TABLE), a.text(unix.NFTA_RULE_CHAIN)}
		if i, ok := at[p]; ok {
			// The next part of a long list takes the place of this one.
			expressions := slices.Clone(a.take(unix.NFTA_RULE_EXPRESSIONS))
			programs = append(programs, program{i, place{family, p.table, ""}, readSteps(expressions)})
		}
	})
	if err != nil {
		return nil, err
	}
	for _, p := range programs {
		rules, err := r.rules(p.table, p.steps)
		if err != nil {
			return nil, err
		}
		chains[p.chain].Rules = append(chains[p.chain].Rules, rules...)
	}
	slices.SortStableFunc(chains, func(a, b host.Chain) int {
		return slices.Compare([]string{a.Family, a.Table}, []string{b.Family, b.Table})
	})
	return chains, nil
}

// A step is one expression of somebody's rule.
type step struct {
	name string
	data []byte
}

func readSteps(b []byte) (steps []step) {
	each(b, func(_ uint16, value []byte) {
		a := readAttrs(value)
		steps = append(steps, step{a.text(unix.NFTA_EXPR_NAME), a.take(unix.NFTA_EXPR_DATA)})
	})
	return steps
}

// A foreignSet is a set or map of somebody.
type foreignSet struct {
	// ranges is set where the elements are the ends of ranges.
	ranges   bool
	elements []foreignElement
}

type foreignElement struct {
	key   string
	leads *verdict
}

// set reads a set once.
func (r *foreign) set(p place) (*foreignSet, error) {
	if s := r.sets[p]; s != nil {
		return s, nil
	}
	s := &foreignSet{}
	m := &messages{family: p.family}
	m.message(unix.NFT_MSG_GETSET, 0, what{verb: "ask for set", object: p.name}, func(w *writer) {
		w.text(unix.NFTA_SET_TABLE, p.table)
		w.text(unix.NFTA_SET_NAME, p.name)
	})
	err := r.socket.ask(m, func(a answer) {
		info := readAttrs(a.body)
		s.ranges = info.number(unix.NFTA_SET_FLAGS)&unix.NFT_SET_INTERVAL != 0
	})
	if err != nil {
		return nil, err
	}
	list := &messages{family: p.family}
	list.message(unix.NFT_MSG_GETSETELEM, netlink.Dump, what{verb: "list set", object: p.name}, func(w *writer) {
		w.text(unix.NFTA_SET_ELEM_LIST_TABLE, p.table)
		w.text(unix.NFTA_SET_ELEM_LIST_SET, p.name)
	})
	changed, err := r.socket.all(list, func(a answer) {
		body := readAttrs(a.body)
		each(body.take(unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, value []byte) {
			e := readAttrs(value)
			one := foreignElement{key: e.value(unix.NFTA_SET_ELEM_KEY)}
			if e.values[unix.NFTA_SET_ELEM_DATA] != nil {
				if v, ok := readVerdict(&e, unix.NFTA_SET_ELEM_DATA).(verdict); ok {
					one.leads = &v
				}
			}
			s.elements = append(s.elements, one)
		})
	})
	// The kernel lists them in no order.
	slices.SortStableFunc(s.elements, func(a, b foreignElement) int { return strings.Compare(a.key, b.key) })
	r.interrupted = r.interrupted || changed
	r.sets[p] = s
	return s, err
}
