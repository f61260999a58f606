// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"sync"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// network is a whole network with a guest, as far as the machine can have one.
func (s Suite) network() []host.Op {
	var ops []host.Op
	for _, op := range []host.Op{
		br0, noRA, setShape(shape0, host.Shape{}), fill0, host.SetFilter{Network: "n1", Filter: filter1}, gateway4, gateway6, up("br0"), route4, route6, serve,
		tap0, host.SetMTU{Link: "tap0", MTU: 1400, Was: 1500}, plug("tap0", "br0"),
		host.SetShape{Link: "tap0", Shape: with0(shape0, "tap0")}, host.AddClass(class3), up("tap0"),
	} {
		if !s.lacks(op) {
			ops = append(ops, op)
		}
	}
	return ops
}

func (s Suite) testPlans(t *testing.T) {
	ops := s.network()
	plan := planOf(ops)
	t.Run("apply and revert", func(t *testing.T) {
		x := s.open(t, ops...)
		before := x.facts()
		if err := host.Apply(context.Background(), x.backend, plan); err != nil {
			t.Fatal(err)
		}
		if missing := plan.Missing(x.facts()); len(missing) > 0 {
			t.Errorf("after Apply there is still to do:\n%s", missing)
		}
		if err := host.Revert(context.Background(), x.backend, plan); err != nil {
			t.Fatal(err)
		}
		x.same("after Revert", before)
		if err := host.Revert(context.Background(), x.backend, plan); err != nil {
			t.Fatalf("Revert of nothing: %v", err)
		}
		x.same("after Revert of nothing", before)
	})
	for k, op := range ops {
		t.Run(fmt.Sprintf("step %d fails, %T", k+1, op), func(t *testing.T) {
			x := s.open(t, ops...)
			before := x.facts()
			cause := errors.New("told to fail")
			err := host.Apply(context.Background(), &failing{x.backend, k, cause}, plan)
			var stepError *host.StepError
			if !errors.As(err, &stepError) || stepError.Undo != nil || !errors.Is(err, cause) {
				t.Errorf("error %v", err)
			} else if !reflect.DeepEqual(stepError.Step, plan[k]) {
				t.Errorf("step %s failed, want %s", stepError.Step.Op, op)
			}
			x.same("after the failed Apply", before)
		})
		t.Run(fmt.Sprintf("revert after %d steps", k), func(t *testing.T) {
			x := s.open(t, ops...)
			before := x.facts()
			x.do(ops[:k]...)
			if err := host.Revert(context.Background(), x.backend, plan); err != nil {
				t.Fatal(err)
			}
			x.same("after Revert", before)
		})
	}
}

// failing fails at the operation with that number and does what comes before and after.
type failing struct {
	host.Backend
	left  int
	cause error
}

func (f *failing) Do(ctx context.Context, op host.Op) error {
	f.left--
	if f.left == -1 {
		return f.cause
	}
	return f.Backend.Do(ctx, op)
}

func (s Suite) testCanceled(t *testing.T) {
	x := s.open(t, br0)
	before := x.facts()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := x.backend.Do(ctx, br0); !errors.Is(err, context.Canceled) {
		t.Errorf("Do: error %v, want %v", err, context.Canceled)
	}
	if _, err := x.backend.Facts(ctx, host.Scope{All: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("Facts: error %v, want %v", err, context.Canceled)
	}
	if err := host.Apply(ctx, x.backend, planOf([]host.Op{br0})); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: error %v, want %v", err, context.Canceled)
	}
	x.same("after nothing was done", before)
}

// strange is an operation that no backend knows.
type strange struct{ host.SetUp }

func (s Suite) testUnknown(t *testing.T) {
	x := s.open(t)
	x.refuses(strange{up("lo")}, errors.ErrUnsupported)
}

// testConcurrent lets several guests come and go at once, while somebody looks.
func (s Suite) testConcurrent(t *testing.T) {
	x := s.open(t, br0, tap0, plug("tap0", "br0"))
	x.do(br0, up("br0"))
	before := x.facts()
	var wg sync.WaitGroup
	for i := range 6 {
		tap := with(tap0, func(o *host.AddTap) { o.Link = fmt.Sprintf("tap%d", i); o.MAC[5] = byte(i + 1) })
		plan := planOf([]host.Op{tap, plug(tap.Link, "br0"), up(tap.Link)})
		wg.Go(func() {
			for range 3 {
				if err := host.Apply(t.Context(), x.backend, plan); err != nil {
					t.Error(err)
				}
				f, err := x.backend.Facts(t.Context(), plan.Scope())
				if err != nil {
					t.Error(err)
					return
				}
				if missing := plan.Missing(f); len(missing) > 0 {
					t.Errorf("after Apply there is still to do:\n%s", missing)
				}
				if err := host.Apply(t.Context(), x.backend, plan); !errors.Is(err, fs.ErrExist) {
					t.Errorf("Apply again: error %v, want %v", err, fs.ErrExist)
				}
				if err := host.Revert(t.Context(), x.backend, plan); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	x.same("after all guests have gone", before)
}
