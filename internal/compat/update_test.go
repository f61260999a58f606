// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// A started is a network that was started, and the updates of its live document, each of what the one before left.
type started struct {
	ID      string
	Network string
	Started bool
	Live    string
	Updates []struct {
		Section, Command, XML string
		Index                 int
		Accept                bool
		Error                 any // for people
		Live                  string
	}
}

// updateOf returns an update in the words of virsh, with the index of its <ip> counted from 0.
func updateOf(section, command string, index int, xml string) (u network.Update, err error) {
	u.IP, u.XML = max(index+1, 0), xml
	if err = u.Section.UnmarshalText([]byte(section)); err == nil {
		err = u.Command.UnmarshalText([]byte(command))
	}
	return u, err
}

// judgeUpdate returns our verdict on an update.
func judgeUpdate(n updater, u network.Update) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	updated, wrong := n.update(u)
	if wrong != nil {
		return verdict{wrong: wrong.Error()}, nil
	}
	text, err := updated.Format()
	return verdict{text: string(text)}, err
}

// TestUpdates wants every update judged as libvirt did, and the live document after it to be the same. It looks at documents
// alone: what an update does to a host is for the tests of package network.
func TestUpdates(t *testing.T) {
	c := tally{t: t, name: "updates", kind: "updates"}
	c.starts(recorded[started](t, "starts.jsonl"))
	c.pairs()
	c.report()
}

// An updater is a network that is updated.
type updater interface {
	update(u network.Update) (*network.Network, error)
}

// A document is updated as such.
type updatedDocument struct{ *network.Network }

func (d *updatedDocument) update(u network.Update) (*network.Network, error) {
	n, err := d.UpdatedAs(compat, u)
	if err == nil {
		d.Network = n
	}
	return n, err
}

// A network that runs is updated by its manager.
type updatedNetwork struct {
	nets *network.Manager
	name string
}

func (r *updatedNetwork) update(u network.Update) (*network.Network, error) {
	_, err := r.nets.Update(context.Background(), r.name, network.UpdateRequest{
		Updates: []network.Update{u}, Live: true, Disruptive: true,
	})
	if err != nil {
		return nil, err
	}
	s, err := r.nets.Lookup(context.Background(), r.name)
	if err != nil {
		return nil, err
	}
	s.Live.Normalize(compat)
	return s.Live, nil
}

// runs starts a network on a machine in memory; without one that can run there it is updated as a document.
func runs(n *network.Network) (u updater, started bool) {
	ctx := context.Background()
	nets, err := network.Config{Rules: compat}.Open(ctx, hosttest.New("eth0", "eth1", "eth2", "eth3"), network.Memory())
	if err == nil && nets.Create(ctx, n) == nil {
		return &updatedNetwork{nets, n.Name}, true
	}
	return &updatedDocument{n}, false
}

// starts judges the updates of networks that were started, one after the other.
func (c *tally) starts(all []started) {
	running, documents := 0, 0
	for _, s := range all {
		if len(s.Updates) == 0 {
			continue
		}
		n, err := readNetwork(s.Live)
		var network updater
		var started bool
		if err == nil {
			network, started = runs(n)
		}
		for i, u := range s.Updates {
			id := fmt.Sprintf("%s, update %d: %s %s %d %s", s.ID, i+1, u.Command, u.Section, u.Index, u.XML)
			if err != nil {
				c.note(id, fmt.Sprintf("its network is refused: %v", err))
				continue
			}
			if started {
				running++
			} else {
				documents++
			}
			ours, wrong := updateOf(u.Section, u.Command, u.Index, u.XML)
			require.NoError(c.t, wrong, id)
			got, wrong := judgeUpdate(network, ours)
			if wrong != nil {
				c.note(id, wrong.Error())
				continue
			}
			want := verdict{text: u.Live}
			if !u.Accept {
				want = verdict{wrong: fmt.Sprint(u.Error)}
			}
			c.note(id, disagree(s.Live, want, got, func(_, document *tree) { document.dropAttr("connections") }))
			if u.Accept && got.wrong != "" { // what follows is judged by what libvirt has
				if n, err = readNetwork(u.Live); err == nil {
					network, started = runs(n)
				}
			}
		}
	}
	c.t.Logf("%d updates of networks that run, %d of documents", running, documents)
}

// updatePairs are the cases of libvirt's tests of updates, in which every update is of the first <ip>: a network, the name of the XML, and the
// network that it becomes, "" where it is refused. The folders need not hold all of them.
var updatePairs = []struct {
	section, command, network, xml, becomes string
}{
	{"ip-dhcp-host", "add-last", "nat-network", "host-incomplete", ""},
	{"ip-dhcp-host", "add-last", "nat-network", "host-new-incomplete", ""},
	{"ip-dhcp-host", "add-last", "nat-network", "host-existing", ""},
	{"ip-dhcp-host", "modify", "nat-network", "host-new", ""},
	{"ip-dhcp-host", "modify", "nat-network", "host-incomplete", ""},
	{"ip-dhcp-host", "delete", "nat-network", "host-new", ""},
	{"ip-dhcp-host", "add-last", "nat-network", "host-new", "nat-network-more-hosts"},
	{"ip-dhcp-host", "modify", "nat-network", "host-updated", "nat-network-host-updated"},
	{"ip-dhcp-host", "delete", "nat-network", "host-incomplete", "nat-network-one-host"},
	{"ip-dhcp-host", "delete", "nat-network", "host-existing", "nat-network-one-host"},
	{"ip-dhcp-range", "add-first", "dhcp6host-routed-network", "dhcp-range-10", ""},
	{"ip-dhcp-range", "add-first", "dhcp6host-routed-network", "dhcp-range", "dhcp6host-routed-network-range"},
	{"ip-dhcp-range", "delete", "dhcp6host-routed-network", "dhcp-range-10", ""},
	{"ip-dhcp-range", "add-last", "nat-network", "dhcp-range-existing", ""},
	{"ip-dhcp-range", "add-last", "nat-network", "dhcp-range-10", ""},
	{"ip-dhcp-range", "delete", "nat-network", "dhcp-range-10", ""},
	{"forward-interface", "add-first", "nat-network", "interface-eth47", ""}, // the section alone would take it, and makes nat-network-forward-ifaces
	{"forward-interface", "delete", "nat-network", "interface-eth47", ""},
	{"forward-interface", "delete", "nat-network", "interface-eth1", "nat-network-no-forward"},
	{"portgroup", "add-last", "openvswitch-net", "portgroup-alice-new", ""},
	{"portgroup", "modify", "openvswitch-net", "portgroup-alison", ""},
	{"portgroup", "delete", "openvswitch-net", "portgroup-alison", ""},
	{"portgroup", "add-first", "openvswitch-net", "portgroup-alison", "openvswitch-net-more-portgroups"},
	{"portgroup", "modify", "openvswitch-net", "portgroup-alice-new", "openvswitch-net-modified"},
	{"portgroup", "delete", "openvswitch-net", "portgroup-alice-new", "openvswitch-net-without-alice"},
	{"dns-host", "add-first", "nat-network-dns-hosts", "dns-host-pudding", "nat-network-dns-more-hosts"},
	{"dns-host", "add-first", "nat-network", "dns-host-gateway-incomplete", ""},
	{"dns-host", "modify", "nat-network-dns-hosts-modified", "dns-host-modify-not-existing", ""},
	{"dns-host", "modify", "nat-network-dns-hosts-modified", "dns-host-modify", "nat-network-dns-hosts-modified"},
	{"dns-host", "modify", "nat-network-dns-more-hosts", "dns-host-modify", "nat-network-dns-hosts-modified"},
	{"dns-host", "delete", "nat-network-dns-more-hosts", "dns-host-gateway-incomplete", "nat-network-no-hosts"},
	{"dns-txt", "add-last", "nat-network-dns-txt-record", "dns-txt-record-example", ""},
	{"dns-txt", "delete", "nat-network-dns-txt-record", "dns-txt-record-snowman", ""},
	{"dns-txt", "modify", "nat-network-dns-txt-record", "dns-txt-record-modify-fail", ""},
	{"dns-txt", "add-first", "nat-network-dns-txt-record", "dns-txt-record-snowman", "nat-network-dns-txt-records"},
	{"dns-txt", "delete", "nat-network-dns-txt-record", "dns-txt-record-example", "nat-network-dns-txt-none"},
	{"dns-srv", "add-first", "nat-network", "srv-record", "nat-network-dns-srv-record"},
	{"dns-srv", "add-last", "nat-network", "srv-record", "nat-network-dns-srv-record"},
	{"dns-srv", "add-first", "nat-network-dns-srv-record", "srv-record", ""},
	{"dns-srv", "delete", "nat-network", "srv-record-service", ""},
	{"dns-srv", "delete", "nat-network-dns-srv-record", "srv-record-protocol", "nat-network"},
	{"dns-srv", "delete", "nat-network-dns-srv-record", "srv-record", "nat-network"},
	{"dns-srv", "modify", "nat-network-dns-srv-record", "srv-record", ""},
}

// pairs judges the cases of libvirt's tests that the folders hold.
func (c *tally) pairs() {
	networks, xml, becomes := documents(c.t, "networkxml2xmlin"), documents(c.t, "networkxml2xmlupdatein"), documents(c.t, "networkxml2xmlupdateout")
	for _, p := range updatePairs {
		text, fragment, result := networks[p.network+".xml"], xml[p.xml+".xml"], becomes[p.becomes+".xml"]
		if text == "" {
			text = becomes[p.network+".xml"]
		}
		if text == "" || fragment == "" || p.becomes != "" && result == "" {
			continue
		}
		id := fmt.Sprintf("%s %s %s: %s", p.command, p.section, p.xml, p.network)
		want := verdict{text: result}
		if p.becomes == "" {
			want = verdict{wrong: "no output is expected"}
		}
		n, err := readUndefined(text)
		require.NoError(c.t, err, id)
		u, err := updateOf(p.section, p.command, 0, fragment)
		require.NoError(c.t, err, id)
		got, err := judgeUpdate(&updatedDocument{n}, u)
		if err != nil {
			c.note(id, err.Error())
			continue
		}
		c.note(id, disagree(text, want, got, madeForNetwork))
	}
}
