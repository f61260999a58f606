// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// A faulty backend is a Machine with one fault.
type faulty struct {
	*Machine
	do    func(m *Machine, ctx context.Context, op host.Op) error
	facts func(m *Machine, ctx context.Context, scope host.Scope) (*host.Facts, error)
	all   func(m *Machine, ctx context.Context, ops []host.Op) error
	join  func(m *Machine, ctx context.Context, ops []host.Op) (int, error)
}

var (
	_ host.Batcher = faulty{}
	_ host.Joiner  = faulty{}
)

func (f faulty) Do(ctx context.Context, op host.Op) error {
	if f.do != nil {
		return f.do(f.Machine, ctx, op)
	}
	return f.Machine.Do(ctx, op)
}

func (f faulty) Facts(ctx context.Context, scope host.Scope) (*host.Facts, error) {
	if f.facts != nil {
		return f.facts(f.Machine, ctx, scope)
	}
	return f.Machine.Facts(ctx, scope)
}

func (f faulty) DoAll(ctx context.Context, ops []host.Op) error {
	if f.all != nil {
		return f.all(f.Machine, ctx, ops)
	}
	return host.Apply(ctx, f, planOf(ops))
}

func (f faulty) DoTogether(ctx context.Context, ops []host.Op) (int, error) {
	if f.join != nil {
		return f.join(f.Machine, ctx, ops)
	}
	return 0, nil
}

// faults are mistakes that a backend is likely to make, by the subtest that has to find them.
var faults = map[string]faulty{
	"op/AddBridge": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.DelBridge); ok { // deletes by name
			f, _ := m.Facts(ctx, o.Scope())
			if l := f.Link(o.Link); l != nil {
				o.MAC = l.MAC
			}
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"op/AddTap": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.AddTap); ok { // forgets the mark
			o.Owner = ""
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"op/Plug": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.Plug); ok { // forgets the flags
			return m.Do(ctx, plug(o.Link, o.Bridge))
		}
		return m.Do(ctx, op)
	}},
	"op/FilterVLANs": {facts: func(m *Machine, ctx context.Context, scope host.Scope) (*host.Facts, error) {
		f, err := m.Facts(ctx, scope)
		if err == nil {
			f.VLANFiltering = false // can more than it says
		}
		return f, err
	}},
	"op/SetPlug_with_other_VLANs": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.SetPlug); ok { // forgets that a tag can be kept
			o.Plug.VLANs.NativeTagged = false
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"effect/a_station_is_behind_one_port_of_a_bridge": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.Plug); ok && o.Link == "tap1" { // does not look who has it
			o.Station[5]++
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"op/AddAddr": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		err := m.Do(ctx, op)
		if _, ok := op.(host.AddAddr); ok && errors.Is(err, fs.ErrExist) { // takes what is there for its own
			return nil
		}
		return err
	}},
	"op/SetFilter": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.SetFilter); ok && o.Filter.IsZero() { // flushes everything
			defer m.FlushFilters()
		}
		return m.Do(ctx, op)
	}},
	"op/AddClass": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.DelClass); ok { // deletes by number
			f, _ := m.Facts(ctx, o.Scope())
			if c := f.Class(o.Link, o.ID); c.ID != 0 {
				o.MAC = c.MAC
			}
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"op/SetShape": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.SetShape); ok && o.Shape.IsZero() { // takes any shape for its own
			f, _ := m.Facts(ctx, o.Scope())
			if s := f.Shape(o.Link); !s.IsZero() {
				o.Was = s
			}
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"effect/a_link_takes_its_shape_and_classes_along": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.DelBridge); ok { // leaves its classes behind
			m.mu.Lock()
			classes := slices.Clone(m.classes)
			m.mu.Unlock()
			defer func() { m.mu.Lock(); m.classes = classes; m.mu.Unlock() }()
			return m.Do(ctx, o)
		}
		return m.Do(ctx, op)
	}},
	"shaping": {facts: func(m *Machine, ctx context.Context, scope host.Scope) (*host.Facts, error) {
		f, err := m.Facts(ctx, scope)
		if err == nil {
			f.Shaping.Queues = slices.DeleteFunc(f.Shaping.Queues, func(q host.Queue) bool { return q == host.SFQ }) // can more than it says
		}
		return f, err
	}},
	"op/Serve": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		err := m.Do(ctx, op)
		if o, ok := op.(host.Serve); ok && err != nil { // ends a server that it did not start
			return errors.Join(err, m.KillServer(o.Server.Name))
		}
		return err
	}},
	"op/AddRoute": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if err := m.Do(ctx, op); err != nil { // keeps the reason to itself
			return errors.New("it did not work")
		}
		return nil
	}},
	"effect/a_bridge_with_an_mtu_keeps_it,_also_if_it_is_the_usual_one": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		err := m.Do(ctx, op)
		if o, ok := op.(host.AddBridge); ok && err == nil {
			defer m.lock().Unlock()
			m.links[o.Link].mtuSet = false
		}
		return err
	}},
	"plan/revert_after_1_steps": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		err := m.Do(ctx, op)
		if errors.Is(err, fs.ErrNotExist) {
			return fs.ErrInvalid
		}
		return err
	}},
	"facts": {facts: func(m *Machine, ctx context.Context, scope host.Scope) (*host.Facts, error) {
		f, err := m.Facts(ctx, scope)
		if err == nil {
			slices.Reverse(f.Links)
		}
		return f, err
	}},
	"facts/a_link": {facts: func(m *Machine, ctx context.Context, scope host.Scope) (*host.Facts, error) {
		scope.Routes = true // tells more than was asked for
		return m.Facts(ctx, scope)
	}},
	"Batcher": {all: func(m *Machine, ctx context.Context, ops []host.Op) error {
		for _, op := range ops { // leaves half of it behind
			if err := m.Do(ctx, op); err != nil {
				return err
			}
		}
		return nil
	}},
	"Joiner/tap": {join: func(m *Machine, ctx context.Context, ops []host.Op) (int, error) {
		return len(ops), m.Do(ctx, ops[0]) // says that it has done all
	}},
	"Joiner/with_IPv6": {join: func(m *Machine, ctx context.Context, ops []host.Op) (int, error) {
		for _, op := range ops { // leaves half of it behind
			if err := m.Do(ctx, op); err != nil {
				return 0, err
			}
		}
		return len(ops), nil
	}},
	"canceled": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		return m.Do(context.WithoutCancel(ctx), op)
	}},
	"unknown": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if err := m.Do(ctx, op); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return nil
	}},
	"walk": {do: func(m *Machine, ctx context.Context, op host.Op) error {
		if o, ok := op.(host.SetMTU); ok && o.MTU < 1500 && o.Link == "br1" {
			return nil // does nothing now and then
		}
		return m.Do(ctx, op)
	}},
}

// TestSuiteFindsFaults runs the suite on each faulty backend in another process and wants it to fail.
func TestSuiteFindsFaults(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	for subtest := range faults {
		t.Run(subtest, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestFault$", "-test.v")
			cmd.Env = append(os.Environ(), "HOSTTEST_FAULT="+subtest)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Contains(t, string(out), "--- FAIL: TestFault/"+subtest)
		})
	}
}

// TestFault is the other process.
func TestFault(t *testing.T) {
	fault, ok := faults[os.Getenv("HOSTTEST_FAULT")]
	if !ok {
		t.Skip("only for TestSuiteFindsFaults")
	}
	TestBackend(t, func(*testing.T) host.Backend {
		f := fault
		f.Machine = new(Machine)
		return f
	})
}

// TestSuiteWithout runs the suite on a machine that cannot do everything, and says so.
func TestSuiteWithout(t *testing.T) {
	poor := []host.Op{host.Serve{}, host.SetFilter{}, host.SetShape{}, host.AddClass{}, host.SetClass{}, host.AddVeth{}}
	Suite{Without: poor, Open: func(*testing.T) host.Backend {
		return faulty{Machine: new(Machine), do: func(m *Machine, ctx context.Context, op host.Op) error {
			if err := op.Check(); err != nil {
				return err
			}
			if (Suite{Without: poor}).lacks(op) {
				return errors.ErrUnsupported
			}
			return m.Do(ctx, op)
		}}
	}}.Run(t)
}
