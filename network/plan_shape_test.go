// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

func num(n uint64) schema.Number {
	if n == 0 {
		return schema.Number{}
	}
	return schema.Num(n)
}

func rate(average, peak, burst uint64) *qos.Rate {
	return &qos.Rate{Average: num(average), Peak: num(peak), Burst: num(burst)}
}

func TestPlanShape(t *testing.T) {
	all := host.Shaping{Queues: []host.Queue{host.FQCoDel, host.SFQ, host.BFIFO}, Means: []host.Means{host.Redirect, host.Police}}
	bare := host.Shaping{Queues: []host.Queue{host.BFIFO}}
	policing := host.Shaping{Queues: []host.Queue{host.SFQ, host.BFIFO}, Means: []host.Means{host.Police}}
	noU32 := host.Shaping{Queues: []host.Queue{host.BFIFO}, Means: []host.Means{host.Redirect, host.Police}, NoU32: true}
	throttling := host.Shaping{Means: []host.Means{host.Throttle}}
	in, out := rate(1000, 5000, 1024), rate(128, 256, 0)
	for _, c := range []struct {
		name string
		b    *qos.Bandwidth
		own  bool
		can  host.Shaping
		want string
		err  string
	}{
		{"nothing", nil, false, bare, "", ""},
		{"no direction", &qos.Bandwidth{}, false, host.Shaping{}, "", ""},
		{"a floor alone", &qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(7)}}, false, host.Shaping{}, "", ""},
		{"an average of zero", &qos.Bandwidth{Inbound: &qos.Rate{Average: schema.Num(0)}}, false, host.Shaping{}, "", ""},
		{"both", &qos.Bandwidth{Inbound: in, Outbound: out}, false, all,
			"tc shape add l egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 128kbps ceil 256kbps burst 2kb by ifb queue fq_codel", ""},
		{"both, of the guest's own device", &qos.Bandwidth{Inbound: in, Outbound: out}, true, all,
			"tc shape add l egress rate 128kbps ceil 256kbps burst 2kb ingress rate 1000kbps ceil 5000kbps burst 1024kb by ifb queue fq_codel", ""},
		{"inbound", &qos.Bandwidth{Inbound: in}, false, bare, "tc shape add l egress rate 1000kbps ceil 5000kbps burst 1024kb queue bfifo", ""},
		{"inbound, of the guest's own device", &qos.Bandwidth{Inbound: in}, true, bare, "", "/x: the kernel of the host can shape nothing that l receives"},
		{"outbound without means", &qos.Bandwidth{Outbound: out}, false, bare, "", "/x: the kernel of the host can shape nothing that l receives"},
		{"inbound without queues", &qos.Bandwidth{Inbound: in}, false, host.Shaping{}, "", "/x: the kernel of the host can shape nothing"},
		{"outbound that is policed has no peak", &qos.Bandwidth{Outbound: out}, false, policing,
			"tc shape add l ingress rate 128kbps ceil 128kbps burst 128kb by police", ""},
		{"both, one policed", &qos.Bandwidth{Inbound: in, Outbound: rate(8, 0, 4)}, false, policing,
			"tc shape add l egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 8kbps ceil 8kbps burst 64kb by police queue sfq", ""},
		{"without u32", &qos.Bandwidth{Inbound: in, Outbound: out}, false, noU32,
			"tc shape add l egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 128kbps ceil 256kbps burst 2kb by ifb match bpf queue bfifo", ""},
		{"inbound without u32 needs no filter", &qos.Bandwidth{Inbound: in}, false, noU32,
			"tc shape add l egress rate 1000kbps ceil 5000kbps burst 1024kb queue bfifo", ""},
		{"outbound by the packet filter lets pass what a second brings", &qos.Bandwidth{Outbound: rate(8000, 9000, 64)}, false, throttling,
			"tc shape add l ingress rate 8000kbps ceil 8000kbps burst 7813kb by nft", ""},
		{"outbound by the packet filter with a burst", &qos.Bandwidth{Outbound: rate(8, 0, 70)}, false, throttling,
			"tc shape add l ingress rate 8kbps ceil 8kbps burst 70kb by nft", ""},
		{"the most of the packet filter", &qos.Bandwidth{Outbound: rate(host.MaxThrottle, 0, 0)}, false, throttling,
			"tc shape add l ingress rate 4294966kbps ceil 4294966kbps burst 4194303kb by nft", ""},
		{"more than the packet filter holds", &qos.Bandwidth{Outbound: rate(host.MaxThrottle+1, 0, 0)}, false, throttling, "",
			"/x: the kernel of the host can hold what l receives to 4294966 kB/s at most"},
		{"100 Gbit/s", &qos.Bandwidth{Inbound: rate(12_500_000, 0, 0)}, false, all,
			"tc shape add l egress rate 12500000kbps ceil 12500000kbps burst 12207kb queue fq_codel", ""},
		{"the most", &qos.Bandwidth{Inbound: rate(qos.MaxRate, qos.MaxRate, qos.MaxBurst)}, false, all,
			"tc shape add l egress rate 18014398509481984kbps ceil 18014398509481984kbps burst 4194303kb queue fq_codel", ""},
		{"a burst that is too long", &qos.Bandwidth{Inbound: rate(1, 0, qos.MaxBurst)}, false, all,
			"tc shape add l egress rate 1kbps ceil 1kbps burst 267kb queue fq_codel", ""},
		{"a peak below the average", &qos.Bandwidth{Inbound: rate(1000, 500, 0)}, false, all,
			"tc shape add l egress rate 1000kbps ceil 1000kbps burst 9kb queue fq_codel", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := network.PlanShape(c.b, "/x", "l", c.own, c.can)
			if c.err != "" {
				require.ErrorIs(t, err, errors.ErrUnsupported)
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, plan.Check())
			want := ""
			if c.want != "" {
				want = c.want + "  # /x\n"
			}
			require.Equal(t, want, plan.String())
		})
	}
}

const limited = `<network><name>net1</name><uuid>00000000-0000-4000-8000-000000000001</uuid><bridge name='virbr0' stp='off'/>
	<bandwidth><inbound average='1000' peak='5000'/><outbound average='128'/></bandwidth><ip address='10.1.1.1' prefix='24'/></network>`

// floorOn asks for a port with a guarantee and a tap.
func floorOn(name string, floor uint64, mac byte) network.PortRequest {
	req := guestOn(name)
	req.Port = &network.Port{
		Owner:     &network.Owner{Name: "web"},
		MAC:       &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0, 0, mac}},
		Bandwidth: &qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(floor)}},
	}
	return req
}

// shapes is what is shaped on a machine, as text.
func shapes(t *testing.T, m *hosttest.Machine) string {
	t.Helper()
	f, err := m.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	return (&host.Facts{Shapes: f.Shapes, Classes: f.Classes}).String()
}

// TestShapeOfANetwork starts and stops networks with a <bandwidth>, on a bridge of their own and on one of the host.
func TestShapeOfANetwork(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	require.NoError(t, m.Do(ctx, host.AddBridge{Link: "br0", MAC: host.MAC{2}}))
	before := m.String()
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Create(ctx, parse(t, limited)))
	onHost := parse(t, `<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/><bandwidth><inbound average='7'/></bandwidth></network>`)
	require.NoError(t, nets.Create(ctx, onHost))
	require.Equal(t, `shape br0 egress rate 7kbps ceil 7kbps burst 2kb queue fq_codel
shape virbr0 egress rate 1000kbps ceil 5000kbps burst 9kb ingress rate 128kbps ceil 128kbps burst 2kb by ifb queue fq_codel
`, shapes(t, m))
	again := onHost.Clone()
	again.Name, again.UUID = "lan2", schema.UUID{}
	err := nets.Create(ctx, again)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "/network/bandwidth: the host shapes the link already: br0")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NoError(t, nets.Stop(ctx, "lan"))
	require.Equal(t, before, m.String())
}

func TestShapeOnAPoorMachine(t *testing.T) {
	m := hosttest.New("eth0")
	m.Shaping = &host.Shaping{Queues: []host.Queue{host.BFIFO}}
	before := m.String()
	err := open(t, m, network.Memory()).Create(t.Context(), parse(t, limited))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.True(t, strings.HasPrefix(err.Error(), "/network/bandwidth: "), "%v", err)
	require.Equal(t, before, m.String())
}

// TestFloorsWithoutU32 guarantees a rate on a machine whose kernel has another classifier.
func TestFloorsWithoutU32(t *testing.T) {
	m := hosttest.New("eth0")
	m.Shaping = &host.Shaping{Queues: []host.Queue{host.BFIFO}, Means: []host.Means{host.Police}, NoU32: true}
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Create(t.Context(), parse(t, limited)))
	_, err := nets.CreatePort(t.Context(), floorOn("net1", 200, 1))
	require.NoError(t, err)
	require.Contains(t, shapes(t, m), "by police match bpf queue bfifo\nclass dev virbr0 classid 1:3 rate 200kbps dst 52:54:00:00:00:01 match bpf\n")
}

// TestFloorsOfPorts follows two guarantees through the life of their network.
func TestFloorsOfPorts(t *testing.T) {
	ctx, m, store := t.Context(), hosttest.New("eth0"), network.Memory()
	nets := open(t, m, store)
	require.NoError(t, nets.Define(ctx, parse(t, limited)))
	require.NoError(t, nets.Start(ctx, "net1"))
	plain := shapes(t, m)
	one, err := nets.CreatePort(ctx, floorOn("net1", 200, 1))
	require.NoError(t, err)
	two, err := nets.CreatePort(ctx, floorOn("net1", 4800, 2))
	require.NoError(t, err)
	_, err = nets.CreatePort(ctx, floorOn("net1", 1, 3))
	require.Error(t, err, "no more than the peak is guaranteed")
	both := plain + "class dev virbr0 classid 1:3 rate 200kbps dst 52:54:00:00:00:01\nclass dev virbr0 classid 1:4 rate 4800kbps dst 52:54:00:00:00:02\n"
	require.Equal(t, both, shapes(t, m))

	require.NoError(t, nets.Stop(ctx, "net1"))
	require.Empty(t, shapes(t, m))
	require.NoError(t, nets.Start(ctx, "net1"))
	require.Equal(t, both, shapes(t, m), "guarantees outlive their network")

	require.NoError(t, m.Do(ctx, host.SetClass{
		Class: host.Class{Link: "virbr0", ID: 3, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Rate: 9},
		Was:   host.Class{Link: "virbr0", ID: 3, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Rate: 200},
	}))
	_ = open(t, m, store)
	require.Equal(t, both, shapes(t, m), "a guarantee that somebody changed is mended")
	m.DropShape("virbr0")
	nets = open(t, m, store)
	require.Equal(t, both, shapes(t, m), "a shape that is gone is mended")

	require.NoError(t, nets.DeletePort(ctx, "net1", one.Port.UUID))
	require.NoError(t, nets.DeletePort(ctx, "net1", two.Port.UUID))
	require.Equal(t, plain, shapes(t, m))
}
