// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/stretchr/testify/require"
)

// served is the plan of a small network with a server.
func served(i int) host.Plan {
	id, link := fmt.Sprint("n", i), fmt.Sprint("br", i)
	addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), 24)
	server := host.Server{Name: id, Link: link, Subnets: []host.Subnet{{Prefix: addr, Ranges: []host.Range{{Start: addr.Addr().Next(), End: addr.Addr().Next()}}}}}
	return host.Plan{
		{From: "/network/forward", Op: host.SetFilter{Network: id, Filter: host.Filter{Network: id, Link: link, To: []host.Rule{{Do: host.Reject}}}}},
		{From: "/network/bridge", Op: host.AddBridge{Link: link, MAC: host.MAC{2, 0, 0, 0, 0, byte(i)}}},
		{From: "/network/ip", Op: host.AddAddr{Link: link, Prefix: addr}},
		{From: "/network/bridge", Op: host.SetUp{Link: link}},
		{From: "/network/ip/dhcp", Op: host.Serve{Server: server}},
	}
}

// A batching machine counts what is done in one go.
type batching struct {
	*hosttest.Machine
	goes [][]host.Op
	fail error
}

func (b *batching) DoAll(ctx context.Context, ops []host.Op) error {
	b.goes = append(b.goes, ops)
	if b.fail != nil {
		return b.fail
	}
	return b.Machine.DoAll(ctx, ops)
}

func TestApplyAll(t *testing.T) {
	m := machine(t)
	plans := []host.Plan{served(1), served(2), lab(), served(3), nil}
	for _, p := range plans {
		require.NoError(t, host.Apply(t.Context(), m, p))
	}
	want := m.String()

	b := &batching{Machine: machine(t)}
	require.Equal(t, make([]error, len(plans)), host.ApplyAll(t.Context(), b, plans))
	require.Equal(t, want, b.String())
	require.Equal(t, [][]host.Op{{served(1)[0].Op, served(2)[0].Op, served(3)[0].Op}}, b.goes, "all filters in one go")
	log := b.Log()
	for i, op := range log {
		if _, serves := op.(host.Serve); serves {
			require.Len(t, log, i+3, "servers come last")
			break
		}
	}

	require.Equal(t, make([]error, 1), host.ApplyAll(t.Context(), &batching{Machine: machine(t), fail: errors.New("not for one")}, plans[:1]))
	require.Empty(t, host.ApplyAll(t.Context(), m, nil))
}

// Whatever step of one of several plans fails, that plan leaves nothing, and the others are carried out.
func TestApplyAllFails(t *testing.T) {
	broken := errors.New("broken")
	plans := []host.Plan{served(1), served(2), served(3)}
	others := machine(t)
	require.NoError(t, host.Apply(t.Context(), others, slices.Concat(served(1), served(3))))
	for k, step := range plans[1] {
		m := machine(t)
		m.Fail = func(op host.Op) error {
			if op.String() == step.Op.String() {
				return broken
			}
			return nil
		}
		errs := host.ApplyAll(t.Context(), m, plans)
		require.NoError(t, errors.Join(errs[0], errs[2]))
		require.Equal(t, &host.StepError{Step: step, Err: broken}, errs[1], k)
		require.Equal(t, others.String(), m.String(), k)
	}
}

func TestApplyAllOfWhatIsRefused(t *testing.T) {
	m := machine(t)
	before := m.String()
	invalid := append(served(1), host.Step{From: "/network/ip[2]", Op: host.AddAddr{Link: "br1"}})
	taken := slices.Clone(served(2))
	taken[1].Op = host.AddBridge{Link: "eth0", MAC: host.MAC{2}}
	b := &batching{Machine: m, fail: errors.New("no batches today")}
	errs := host.ApplyAll(t.Context(), b, []host.Plan{invalid, taken, taken})
	require.ErrorIs(t, errs[0], fs.ErrInvalid)
	require.ErrorIs(t, errs[1], fs.ErrExist)
	require.ErrorIs(t, errs[2], fs.ErrExist)
	require.Equal(t, before, m.String())
	require.Len(t, b.goes, 1)
}

// A context that ends before the servers are started leaves nothing of any plan.
func TestApplyAllIsCanceled(t *testing.T) {
	m := machine(t)
	before := m.String()
	ctx, cancel := context.WithCancel(t.Context())
	m.Fail = func(op host.Op) error {
		if op == (host.SetUp{Link: "br2"}) {
			cancel()
		}
		return nil
	}
	for _, err := range host.ApplyAll(ctx, m, []host.Plan{served(1), served(2), served(3)}) {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Equal(t, before, m.String())
}
