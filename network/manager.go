// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Manager keeps the networks of one host: their definitions, and what of them runs. It may be used by many goroutines,
// and several managers, in one process or many, may share a store: each network has a lock, so that work on one never
// waits for work on another. A Manager has no goroutine but for those who watch, and nothing to close; networks go on when
// it is gone.
//
// Nothing is remembered in memory that the store does not tell. A record of what will be done is written to the store before the first change, so that
// a program that is killed at any moment leaves what the next [Open] can take back.
type Manager struct {
	config  Config
	backend host.Backend
	store   Store
	ledger  *ledger
	events  audience
	ports   registry
	// documents are those of the networks that ports were made in.
	documents liveDocuments
}

// A Config holds what a [Manager] takes from its surroundings. The zero Config is right for programs; tests may want
// their own chance and time.
type Config struct {
	// Rand is where UUIDs and hardware addresses come from. Nil is crypto/rand.
	Rand io.Reader
	// Now is the time. Nil is time.Now.
	Now func() time.Time
	// Rules say where the manager does as libvirt does it. The zero Rules are what this library does.
	Rules schema.Rules
	// VEPA says what becomes of guests in mode vepa at switches that are not known to reflect. Zero attaches them, as libvirt does.
	VEPA VEPAPolicy
	// Hook takes part in what is done with ports. Nil is none.
	Hook PortHook
	// Tell, if it is not nil, gets each event of what this manager does, before the method that does it returns. It is called
	// by one at a time, must be quick, and must not call the manager. What others do to the host is for [Manager.Watch].
	Tell func(Event)
	// Discard has what stops networks and deletes ports return as soon as nobody has anything of them any more: servers have
	// ended, rules and addresses are gone, devices are down and in no bridge. The devices themselves are removed behind that, in
	// bulk, on which the kernel spends most of the time otherwise; who wants the same names again waits for it, see
	// [host.Discarder]. What is left by a program that ends before is removed by the next [Open]. A backend that is no
	// Discarder removes devices at once.
	Discard bool
	// LeaveDrift makes [Open] leave what runs as it is, for [Manager.Check] to find and [Manager.Repair] to mend: it then
	// only brings to an end what is half done.
	LeaveDrift bool
}

// Open returns a manager of the networks in store on the host behind b. It first brings to an end what another program
// left half done when it was killed: a network that was being started or stopped is taken back whole. A network that
// ran and lost its bridge is taken back as well; one that lost something else gets that again. [Config].LeaveDrift leaves
// both to [Manager.Repair].
//
// A record that cannot be read, because it was cut off or changed, is made anew for a network that is defined: from its definition, and
// from what bears its mark on the host. [EventRestored] tells.
//
// If that fails for some networks, the manager is returned together with the error and works for the others.
func Open(ctx context.Context, b host.Backend, s Store) (*Manager, error) {
	return Config{}.Open(ctx, b, s)
}

// Open is [Open] with this configuration.
func (c Config) Open(ctx context.Context, b host.Backend, s Store) (*Manager, error) {
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m := &Manager{config: c, backend: b, store: s, ledger: &ledger{store: s, backend: b}}
	return m, m.recover(ctx)
}

// Backend is the host that the manager works on.
func (m *Manager) Backend() host.Backend { return m.backend }

// Rules are those of the configuration.
func (m *Manager) Rules() schema.Rules { return m.config.Rules }

// VEPA is that of the configuration.
func (m *Manager) VEPA() VEPAPolicy { return m.config.VEPA }

// instance is the identity of the machine now.
func (m *Manager) instance(ctx context.Context) (string, error) {
	f, err := m.backend.Facts(ctx, host.Scope{})
	if err != nil {
		return "", err
	}
	return f.Instance, nil
}

// Names of the store, for the network of that name.
func definitionName(name string) string { return "networks/" + storeKey(name) }
func autostartName(name string) string  { return "autostart/" + storeKey(name) }
func leasesName(name string) string     { return "leases/" + storeKey(name) }
func runName(name string) string        { return "run/networks/" + storeKey(name) }

// lockNetwork takes the lock of one network.
func (m *Manager) lockNetwork(ctx context.Context, name string) (release func(), err error) {
	return m.store.Lock(ctx, definitionName(name))
}

// Start starts a defined network and returns when it serves its guests: its plan is made from its definition and the
// facts, and carried out whole. A failed step is a [*host.StepError], and what was done before it has been taken back.
// A network that runs is ErrActive, an unknown one wraps fs.ErrNotExist.
//
// The guests that were attached when the network was last stopped are plugged in again. If that fails for some, the error
// says so and the network runs for the others; the next [Open] tries again.
//
// Several networks start faster together: see [Manager.StartMany].
func (m *Manager) Start(ctx context.Context, name string) error {
	release, err := m.lockNetwork(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	n, err := m.startable(ctx, name)
	if err != nil {
		return err
	}
	return m.startOne(ctx, n)
}

// Create starts a network that is not defined: it is known only as long as it runs.
func (m *Manager) Create(ctx context.Context, n *Network) error {
	if err := n.ValidateAs(m.config.Rules); err != nil {
		return err
	}
	release, err := m.lockNetwork(ctx, n.Name)
	if err != nil {
		return err
	}
	defer release()
	if _, err := m.definition(ctx, n.Name); err == nil {
		return fail(fs.ErrExist, "network %q is defined", n.Name)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.settle(ctx, n.Name); err != nil {
		return err
	}
	if err := m.checkBridge(ctx, n); err != nil {
		return err
	}
	return m.startOne(ctx, n)
}

// Plan is what Start would do now, or for a network that runs, what has drifted: the steps that no longer hold. It
// changes nothing.
func (m *Manager) Plan(ctx context.Context, name string) (host.Plan, error) {
	r, err := m.running(ctx, name)
	if err == nil {
		f, err := m.backend.Facts(ctx, r.Plan.Scope())
		if err != nil {
			return nil, err
		}
		return r.Plan.Missing(f), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	n, err := m.definition(ctx, name)
	if err != nil {
		return nil, err
	}
	leases, err := m.leases(ctx, n)
	if err != nil {
		return nil, err
	}
	f, err := m.backend.Facts(ctx, PlanScope(n))
	if err != nil {
		return nil, err
	}
	return m.planBy(f, n, leases)
}

// planBy plans a complete network by what there is on the host.
func (m *Manager) planBy(f *host.Facts, n *Network, leases []host.Lease) (host.Plan, error) {
	plan, err := PlanAs(m.config.Rules, n, f, leases)
	if err != nil {
		return nil, err
	}
	return plan, plan.Check()
}

// running is the record of a network that runs; fs.ErrNotExist if it does not.
func (m *Manager) running(ctx context.Context, name string) (*record, error) {
	instance, err := m.instance(ctx)
	if err != nil {
		return nil, err
	}
	r, err := loadRecord(ctx, m.store, runName(name), instance)
	if err != nil {
		return nil, err
	}
	if r.Stage != running && r.Stage != updating {
		return nil, fail(fs.ErrNotExist, "network %q is %s", name, r.Stage)
	}
	return r, nil
}

// live is the document that a network runs with; fs.ErrNotExist if it does not.
func (m *Manager) live(ctx context.Context, name string) (*Network, error) {
	r, err := m.running(ctx, name)
	if err != nil {
		return nil, err
	}
	return r.live()
}
