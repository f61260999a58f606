// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// updatedNet is the network that the cases below update.
const updatedNet = `<network><name>net1</name><forward mode='nat' dev='eth0'/><bridge name='br1' stp='off'/>
<mac address='52:54:00:00:00:01'/><dns><txt name='a' value='1'/></dns>
<ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip>
<ip address='10.9.2.1' prefix='24'/><route address='10.77.0.0' prefix='16' gateway='10.9.2.9'/>
<portgroup name='slow'/></network>`

// An updateOfRunning is a change of updatedNet, and what is then done on the host.
type updateOfRunning struct {
	name string
	req  network.UpdateRequest
	want string // the changes
}

func one(s network.Section, c network.Command, ip int, xml string) network.UpdateRequest {
	return network.UpdateRequest{Updates: []network.Update{{Section: s, Command: c, IP: ip, XML: xml}}}
}

func updatesOfRunning(t testing.TB) []updateOfRunning {
	add, del, mod := network.CommandAddLast, network.CommandDelete, network.CommandModify
	whole := func(text string) network.UpdateRequest { return network.UpdateRequest{Document: parse(t, text)} }
	const server = "/network/ip[1]/dhcp"
	const again = "serve again UUID on br1 dhcp 10.9.1.1/24 10.9.1.2-10.9.1.99%s dns%s (was UUID on br1 dhcp 10.9.1.1/24 10.9.1.2-10.9.1.99 dns)  # " + server
	return []updateOfRunning{
		{"a host", one(network.SectionDHCPHost, add, 0, `<host mac='52:54:00:00:00:07' name='web' ip='10.9.1.100'/>`), fmt.Sprintf(again, " hosts 1", "") + "\n"},
		{"a range", one(network.SectionDHCPRange, add, 0, `<range start='10.9.1.150' end='10.9.1.160'/>`), fmt.Sprintf(again, " 10.9.1.150-10.9.1.160", "") + "\n"},
		{"a record", one(network.SectionDNSTXT, mod, 0, `<txt name='a' value='2'/>`), fmt.Sprintf(again, "", "") + "\n"},
		{"a domain", one(network.SectionDomain, add, 0, `<domain name='lab.example'/>`), fmt.Sprintf(again, "", ` domain "lab.example"`) + "\n"},
		{"a port group", one(network.SectionPortGroup, add, 0, `<portgroup name='fast'/>`), ""},
		{"another uplink", network.UpdateRequest{Updates: []network.Update{
			{Section: network.SectionForwardInterface, Command: del, XML: `<interface dev='eth0'/>`},
			{Section: network.SectionForwardInterface, Command: add, XML: `<interface dev='eth1'/>`},
		}}, "nft filter of br1 (UUID): 4 rules from it, 4 to it, 10 nat  # /network/forward\n"},
		{"bridge settings", one(network.SectionBridge, mod, 0, `<bridge stp='on' delay='4'/>`),
			"link set br1 address 52:54:00:00:00:01 stp_state on forward_delay 400 (was address 52:54:00:00:00:01 stp_state off forward_delay 0)  # /network/bridge (disruptive: ports may stop for the forward delay)\n"},
		{"another address", one(network.SectionIP, mod, 2, `<ip address='10.9.2.2' prefix='24'/>`),
			"route del 10.77.0.0/16 via 10.9.2.9 dev br1 metric 1  # /network/route[1] (disruptive: the way to 10.77.0.0/16 is lost for a moment)\n" +
				"addr del 10.9.2.1/24 dev br1  # /network/ip[2] (disruptive: guests lose the gateway 10.9.2.1)\n" +
				"addr add 10.9.2.2/24 dev br1  # /network/ip[2]\n" +
				"route add 10.77.0.0/16 via 10.9.2.9 dev br1 metric 1  # /network/route[1]\n" + fmt.Sprintf(again, "", "") + "\n"},
		{"isolated", one(network.SectionForward, del, 0, `<forward/>`),
			"nft filter of br1 (UUID): 2 rules from it, 2 to it, 0 nat  # /network/forward (disruptive: connections to the outside may end)\n" + fmt.Sprintf(again, "", "") + "\n"},
		{"open, with IPv6", whole(`<network><name>net1</name><forward mode='open'/><bridge stp='off'/>
<ip address='10.9.1.1' prefix='24'/><ip family='ipv6' address='fd00:9::1' prefix='64'/><mtu size='1400'/></network>`), "*"},
		{"another bridge", whole(`<network><name>net1</name><forward mode='nat' dev='eth0'/><bridge name='lan' stp='off' delay='2'/>
<ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip>
<ip address='10.9.2.1' prefix='24'/><route address='10.77.0.0' prefix='16' gateway='10.9.2.9'/></network>`), "*"},
		{"a bridge of the host", whole(`<network><name>net1</name><forward mode='bridge'/><bridge name='hostbr0'/></network>`), "*"},
		{"nothing to serve", whole(`<network><name>net1</name><forward mode='nat' dev='eth0'/><bridge stp='off'/><dns enable='no'/><ip address='10.9.1.1' prefix='24'/></network>`), "*"},
	}
}

// A world is a machine with a network that runs, a guest in it, and a lease.
type updateWorld struct {
	*hosttest.Machine
	store network.Store
	nets  *network.Manager
	uuid  string
}

func newUpdateWorld(t testing.TB) *updateWorld {
	t.Helper()
	ctx := context.Background()
	w := &updateWorld{Machine: hosttest.New("eth0", "eth1"), store: network.Memory()}
	w.nets = open(t, w.Machine, w.store)
	require.NoError(t, w.Do(ctx, host.AddBridge{Link: "hostbr0", MAC: host.MAC{2, 0, 0, 0, 0, 0x10}}))
	require.NoError(t, w.Do(ctx, host.AddBridge{Link: "hostbr1", MAC: host.MAC{2, 0, 0, 0, 0, 0x11}}))
	require.NoError(t, w.nets.Define(ctx, parse(t, updatedNet)))
	require.NoError(t, w.nets.Start(ctx, "net1"))
	_, err := w.nets.CreatePort(ctx, guestOn("net1"))
	require.NoError(t, err)
	w.uuid = w.status(t).UUID.String()
	require.NoError(t, w.GiveLease(w.uuid, host.Lease{Addr: netip.MustParseAddr("10.9.1.50"), MAC: host.MAC{2, 0, 0, 0, 0, 9}, Hostname: "nine"}))
	return w
}

func (w *updateWorld) status(t testing.TB) *network.Status {
	t.Helper()
	s, err := w.nets.Lookup(context.Background(), "net1")
	require.NoError(t, err)
	return s
}

// documents are the texts of the live network and of its definition.
func (w *updateWorld) documents(t testing.TB) string {
	t.Helper()
	s := w.status(t)
	require.NotNil(t, s.Live)
	live, err := s.Live.Format()
	require.NoError(t, err)
	defined, err := s.Definition.Format()
	require.NoError(t, err)
	return string(live) + string(defined)
}

func TestUpdateRunning(t *testing.T) {
	ctx := t.Context()
	for _, c := range updatesOfRunning(t) {
		t.Run(c.name, func(t *testing.T) {
			w := newUpdateWorld(t)
			before := w.String()
			c.req.Live, c.req.Config = true, true
			p, err := w.nets.PlanUpdate(ctx, "net1", c.req)
			require.NoError(t, err)
			require.Equal(t, before, w.String(), "planning changes nothing")
			if c.want != "*" {
				require.Equal(t, replaceAll(c.want, "UUID", w.uuid), p.String())
			}
			if reasons := p.Disruptive(); len(reasons) > 0 {
				_, err := w.nets.Update(ctx, "net1", c.req)
				require.ErrorIs(t, err, network.ErrDisruptive)
				require.ErrorContains(t, err, reasons[0])
				require.Equal(t, before, w.String())
				c.req.Disruptive = true
			}
			log := len(w.Log())
			_, err = w.nets.Update(ctx, "net1", c.req)
			require.NoError(t, err)
			touched := slices.DeleteFunc(w.Log()[log:], func(op host.Op) bool { _, shared := op.(host.DisableForwarding); return shared })
			require.Len(t, touched, len(p.Changes), "only what differs is touched")

			s := w.status(t)
			drift, err := w.nets.Plan(ctx, "net1")
			require.NoError(t, err)
			require.Empty(t, drift, "it runs as its document says")
			require.Contains(t, w.String(), "link vnet0 type tap mac fe:01:02:03:04:05 mtu 1500 up master "+s.Live.Bridge.Name+"\n", "the guest is plugged in")
			for port, err := range w.nets.Ports(ctx, "net1") {
				require.NoError(t, err)
				require.Equal(t, s.Live.Bridge.Name, port.Port.Plug.Bridge.String())
				require.Contains(t, port.Built.String(), "master "+s.Live.Bridge.Name)
			}
			if s.Live.Managed() && c.name != "nothing to serve" && c.name != "open, with IPv6" {
				require.Contains(t, w.String(), "lease 10.9.1.50", "the lease is known")
			}
			fresh := freshBuilt(t, s.Live)
			require.Equal(t, fresh.String(), s.Built.String(), "as if it had been started so")

			require.NoError(t, w.nets.Stop(ctx, "net1"))
			require.NotContains(t, w.String(), "owner \"virtnet:")
			require.NotContains(t, w.String(), "server")
			require.NotContains(t, w.String(), "filter")
			require.NoError(t, w.nets.Start(ctx, "net1"))
			require.Equal(t, fields(fresh), strings.ReplaceAll(fields(w.status(t).Built), ", 1 leases known", ""), "the definition says the same")
		})
	}
}

// fields is a plan without the blanks of its table.
func fields(p host.Plan) string { return strings.Join(strings.Fields(p.String()), " ") }

// freshBuilt is the plan of a network that is started on a machine of its own.
func freshBuilt(t *testing.T, n *network.Network) host.Plan {
	t.Helper()
	m := hosttest.New("eth0", "eth1")
	require.NoError(t, m.Do(t.Context(), host.AddBridge{Link: "hostbr0", MAC: host.MAC{2, 0, 0, 0, 0, 0x10}}))
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Create(t.Context(), n))
	s, err := nets.Lookup(t.Context(), n.Name)
	require.NoError(t, err)
	return s.Built
}

// Whatever operation fails, nothing is changed.
func TestUpdateFails(t *testing.T) {
	for _, c := range updatesOfRunning(t) {
		t.Run(c.name, func(t *testing.T) {
			c.req.Live, c.req.Config, c.req.Disruptive = true, true, true
			cause := errors.New("told to fail")
			for k := 0; ; k++ {
				w := newUpdateWorld(t)
				machine, documents := w.String(), w.documents(t)
				left := k
				w.Fail = func(op host.Op) error {
					if _, after := op.(host.DisableForwarding); after {
						return nil // given back when all is done, or taken back: what comes of it is for the next Open
					}
					left--
					if left == -1 {
						return cause
					}
					return nil
				}
				_, err := w.nets.Update(t.Context(), "net1", c.req)
				w.Fail = nil
				if left >= 0 {
					require.NoError(t, err)
					require.Positive(t, k+1)
					return
				}
				require.ErrorIs(t, err, cause)
				require.Equal(t, machine, w.String(), "operation %d failed", k+1)
				require.Equal(t, documents, w.documents(t))
				c.req.Disruptive = true
				_, err = w.nets.Update(t.Context(), "net1", c.req)
				require.NoError(t, err, "and then it works")
			}
		})
	}
}

// A mortal is a program that is killed: from then on it can do nothing any more.
type mortal struct {
	network.Store
	*hosttest.Machine
	left int // how often it can still do or save something
}

var errKilled = errors.New("killed")

func (m *mortal) lives() error {
	if m.left--; m.left < 0 {
		return errKilled
	}
	return nil
}

func (m *mortal) Do(ctx context.Context, op host.Op) error {
	if err := m.lives(); err != nil {
		return err
	}
	return m.Machine.Do(ctx, op)
}

func (m *mortal) Save(ctx context.Context, name string, data []byte) error {
	if err := m.lives(); err != nil {
		return err
	}
	return m.Store.Save(ctx, name, data)
}

func (m *mortal) Remove(ctx context.Context, name string) error {
	if err := m.lives(); err != nil {
		return err
	}
	return m.Store.Remove(ctx, name)
}

// Killed after any step of an update, a program leaves what the next one finds as it was or as it was to become: on the
// host, live and in the definition alike.
func TestUpdateKilled(t *testing.T) {
	for _, c := range updatesOfRunning(t) {
		t.Run(c.name, func(t *testing.T) {
			c.req.Live, c.req.Config, c.req.Disruptive = true, true, true
			w := newUpdateWorld(t)
			old := w.String()
			_, err := w.nets.Update(t.Context(), "net1", c.req)
			require.NoError(t, err)
			become := w.String()
			for k := 0; ; k++ {
				w := newUpdateWorld(t)
				oldDocuments := w.documents(t)
				m := &mortal{Store: w.store, Machine: w.Machine, left: 1 << 30}
				nets := open(t, m, m)
				m.left = k
				_, err := nets.Update(t.Context(), "net1", c.req)
				if m.left >= 0 {
					require.NoError(t, err)
					break
				}
				w.nets = open(t, w.Machine, w.store)
				switch documents := w.documents(t); documents {
				case oldDocuments:
					require.Equal(t, replaceUUID(w, old), w.String(), "killed after %d", k)
				default:
					require.Equal(t, replaceUUID(w, become), w.String(), "killed after %d", k)
				}
				drift, err := w.nets.Plan(t.Context(), "net1")
				require.NoError(t, err)
				require.Empty(t, drift)
				for port, err := range w.nets.Ports(t.Context(), "net1") {
					require.NoError(t, err)
					require.Equal(t, w.status(t).Live.Bridge.Name, port.Port.Plug.Bridge.String(), "killed after %d", k)
				}
				require.NoError(t, w.nets.Stop(t.Context(), "net1"))
				require.NoError(t, w.nets.Start(t.Context(), "net1"))
			}
		})
	}
}

// Whatever cannot be saved, nothing is changed, or all of it.
func TestUpdateStoreFails(t *testing.T) {
	for _, c := range updatesOfRunning(t) {
		t.Run(c.name, func(t *testing.T) {
			c.req.Live, c.req.Config, c.req.Disruptive = true, true, true
			for k := 0; ; k++ {
				w := newUpdateWorld(t)
				machine, documents := w.String(), w.documents(t)
				s := &failingStore{Store: w.store, left: 1 << 30}
				nets := open(t, w.Machine, s)
				s.left = k
				_, err := nets.Update(t.Context(), "net1", c.req)
				if err != nil {
					require.ErrorIs(t, err, errKilled)
					require.Equal(t, machine, w.String(), "save %d failed", k+1)
					require.Equal(t, documents, w.documents(t), "save %d failed", k+1)
				} else {
					require.NotEqual(t, documents, w.documents(t))
				}
				drift, err := w.nets.Plan(t.Context(), "net1")
				require.NoError(t, err)
				require.Empty(t, drift)
				if s.left >= 0 {
					require.Greater(t, k, 3, "an update saves more than that")
					return
				}
			}
		})
	}
}

// A failingStore fails to save once.
type failingStore struct {
	network.Store
	left int
}

func (s *failingStore) Save(ctx context.Context, name string, data []byte) error {
	if s.left--; s.left == -1 {
		return errKilled
	}
	return s.Store.Save(ctx, name, data)
}

// A network without ports may become one of any kind.
func TestUpdateKindOfNetwork(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	before := m.String()
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, parse(t, `<network><name>net1</name><forward mode='vepa' dev='eth0'/></network>`)))
	require.NoError(t, nets.Start(ctx, "net1"))
	for range 2 {
		nat := network.UpdateRequest{Document: small(t, 1), Live: true, Config: true, Disruptive: true}
		_, err := nets.Update(ctx, "net1", nat)
		require.NoError(t, err)
		s, err := nets.Lookup(ctx, "net1")
		require.NoError(t, err)
		require.Equal(t, s.Definition.MAC, s.Live.MAC, "chosen once")
		require.Equal(t, s.Definition.Bridge.Name, s.Live.Bridge.Name, "chosen once")
		require.Contains(t, m.String(), "server")
		_, err = nets.Update(ctx, "net1", network.UpdateRequest{Live: true, Config: true, Disruptive: true,
			Document: parse(t, `<network><name>net1</name><forward mode='vepa' dev='eth0'/></network>`)})
		require.NoError(t, err)
		require.Equal(t, before, m.String())
	}
}

func TestUpdateRefuses(t *testing.T) {
	ctx := t.Context()
	w := newUpdateWorld(t)
	group := one(network.SectionPortGroup, network.CommandAddLast, 0, `<portgroup name='fast'/>`)
	_, err := w.nets.Update(ctx, "net9", group)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, w.nets.Create(ctx, small(t, 5)))
	group.Config = true
	_, err = w.nets.Update(ctx, "net5", group)
	require.ErrorIs(t, err, fs.ErrNotExist, "a transient network has no definition")
	require.NoError(t, w.nets.Define(ctx, small(t, 6)))
	group.Config, group.Live = false, true
	_, err = w.nets.Update(ctx, "net6", group)
	require.ErrorIs(t, err, network.ErrInactive)
	group.Live = false
	_, err = w.nets.Update(ctx, "net6", group)
	require.NoError(t, err, "of a network that does not run, the definition is changed")
	s, err := w.nets.Lookup(ctx, "net6")
	require.NoError(t, err)
	require.Len(t, s.Definition.PortGroups, 1)

	before := w.String()
	for text, want := range map[string]string{
		`<network><name>net1</name><forward mode='vepa' dev='eth0'/></network>`:                        "/network/forward/@mode: 1 ports are plugged into a network of mode nat, and cannot be moved to one of mode vepa",
		`<network><name>net7</name></network>`:                                                         `/network/name: the network is "net1", not "net7"`,
		`<network><name>net1</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid></network>`:        `/network/uuid: network "net1" has the uuid ` + w.uuid,
		`<network><name>net1</name><bridge name='br1'/><ip address='10.9.5.1' prefix='24'/></network>`: "overlaps",
		`<network><name>net1</name><bridge name='eth1'/></network>`:                                    "the host has a link eth1 already",
		`<network><name>net1</name><forward/></network>`:                                               "forward-needs-ip",
	} {
		_, err := w.nets.Update(ctx, "net1", network.UpdateRequest{Document: parse(t, text), Disruptive: true})
		require.ErrorContains(t, err, want, text)
		require.Equal(t, before, w.String())
	}
}

// Two updates of networks do not wait for each other's guests, and both count.
func TestUpdateConcurrent(t *testing.T) {
	w := newUpdateWorld(t)
	done := make(chan error)
	for i := range 4 {
		go func() {
			_, err := w.nets.Update(context.Background(), "net1", one(network.SectionDNSTXT, network.CommandAddLast, 0, fmt.Sprintf(`<txt name='t%d' value='v'/>`, i)))
			done <- err
		}()
	}
	for range 4 {
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(time.Minute):
			t.Fatal("updates wait for each other")
		}
	}
	require.Len(t, w.status(t).Live.DNS.TXTs, 5)
}

func replaceAll(text, word, by string) string { return strings.ReplaceAll(text, word, by) }

// replaceUUID is the text of another world with the uuid of this one.
func replaceUUID(w *updateWorld, text string) string { return uuids.ReplaceAllString(text, w.uuid) }

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// What somebody took away of a network is done again before it is changed; without its bridge there is nothing to change.
func TestUpdateMends(t *testing.T) {
	ctx := t.Context()
	w := newUpdateWorld(t)
	host1 := one(network.SectionDHCPHost, network.CommandAddLast, 0, `<host mac='52:54:00:00:00:07' name='web' ip='10.9.1.100'/>`)
	_, err := w.nets.Update(ctx, "net1", host1)
	require.NoError(t, err)
	whole := w.String()
	require.NoError(t, w.KillServer(w.uuid))
	w.FlushFilters()
	require.NoError(t, w.Do(ctx, host.DelAddr{Link: "br1", Prefix: netip.MustParsePrefix("10.9.1.1/24")}))
	_, err = w.nets.Update(ctx, "net1", one(network.SectionPortGroup, network.CommandAddLast, 0, `<portgroup name='fast'/>`))
	require.NoError(t, err)
	require.Equal(t, whole, w.String())

	for _, step := range w.status(t).Built {
		if _, ok := step.Op.(host.AddBridge); ok {
			require.NoError(t, w.Do(ctx, step.Op.Inverse()))
		}
	}
	gone, documents := w.String(), w.documents(t)
	_, err = w.nets.Update(ctx, "net1", one(network.SectionDNSTXT, network.CommandAddLast, 0, `<txt name='b' value='1'/>`))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, gone, w.String())
	require.Equal(t, documents, w.documents(t))
}

// TestUpdateBridgeOfHost takes a network with a guest from one bridge of the host to another, to a bridge of its own, and back.
func TestUpdateBridgeOfHost(t *testing.T) {
	ctx := t.Context()
	w := newUpdateWorld(t)
	w.nets = open(t, w.Machine, w.store)
	to := func(text string) {
		t.Helper()
		_, err := w.nets.Update(ctx, "net1", network.UpdateRequest{Document: parse(t, text), Live: true, Config: true, Disruptive: true})
		require.NoError(t, err)
		n := w.status(t).Live
		kind := network.PlugBridge
		if n.Managed() {
			kind = network.PlugNetwork
		}
		ports := 0
		for p, err := range w.nets.Ports(ctx, "net1") {
			require.NoError(t, err)
			require.Equal(t, kind, p.Port.Plug.Type)
			require.Equal(t, n.Bridge.Name, p.Port.Plug.Bridge.String())
			require.Contains(t, w.String(), "link "+p.Link+" type tap mac fe:01:02:03:04:05 mtu 1500 up master "+n.Bridge.Name)
			ports++
		}
		require.Equal(t, 1, ports)
		w.nets = open(t, w.Machine, w.store)
	}
	managed := strings.Replace(updatedNet, "<mac address='52:54:00:00:00:01'/>", "", 1)
	to(`<network><name>net1</name><forward mode='bridge'/><bridge name='hostbr0'/></network>`)
	alone := w.String()
	to(`<network><name>net1</name><forward mode='bridge'/><bridge name='hostbr1'/></network>`)
	to(managed)
	to(`<network><name>net1</name><forward mode='bridge'/><bridge name='hostbr0'/></network>`)
	require.Equal(t, alone, w.String(), "nothing is left of its own bridge")

	before := w.String()
	for text, want := range map[string]string{
		`<network><name>net1</name><forward mode='bridge'/><bridge name='gone0'/></network>`:                                    "/network/bridge/@name: the host has no bridge gone0",
		`<network><name>net1</name><forward mode='bridge'/><bridge name='hostbr1'/><virtualport type='openvswitch'/></network>`: "/network/virtualport: 1 ports are plugged into hostbr0",
		`<network><name>net1</name><forward mode='private' dev='eth0'/></network>`:                                              "cannot be moved to one of mode private",
	} {
		_, err := w.nets.Update(ctx, "net1", network.UpdateRequest{Document: parse(t, text), Live: true, Disruptive: true})
		require.ErrorContains(t, err, want)
		require.Equal(t, before, w.String())
	}

	to(managed)
	with := one(network.SectionPortGroup, network.CommandAddLast, 0, "<portgroup name='x'/>")
	with.Document = parse(t, strings.Replace(managed, "<dns>", "<bandwidth><inbound average='1000'/></bandwidth><dns>", 1))
	with.Live, with.Disruptive = true, true
	_, err := w.nets.Update(ctx, "net1", with)
	require.NoError(t, err)
	for p := range w.nets.Ports(ctx, "net1") {
		req := guestOn("net1")
		req.Port.Bandwidth = &qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(100)}}
		_, err := w.nets.ChangePort(ctx, "net1", p.Port.UUID, req)
		require.NoError(t, err)
	}
	_, err = w.nets.Update(ctx, "net1", network.UpdateRequest{
		Document: parse(t, `<network><name>net1</name><forward mode='bridge'/><bridge name='hostbr0'/></network>`), Live: true, Disruptive: true,
	})
	require.ErrorContains(t, err, "has a floor")
}
