// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// programEnv makes this test binary a program that works on the networks of a folder by chance.
const programEnv = "VIRTNET_TEST_PROGRAM"

// A job is what such a program is told.
type job struct {
	// Namespace is that of the host, Container that of the program's guests, and Folder has the state.
	Namespace, Container, Folder string
	// Name is that of the program's guests.
	Name string
	Seed uint64
	// Operations is how many it tries at least; it goes on until each kind was done once, and ends sooner when its standard input
	// ends.
	Operations int
}

// program does what a job says. Its error is the first that no program may get, whatever others do at the same time.
func program(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended.Store(true)
	}()
	ctx := context.Background()
	b, err := linux.Open(linux.Config{Namespace: j.Namespace, RunDir: filepath.Join(j.Folder, "run")})
	if err != nil {
		return err
	}
	nets, err := network.Open(ctx, b, network.Dir(filepath.Join(j.Folder, "state")))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	p := &player{job: j, nets: nets, chance: rand.New(rand.NewPCG(j.Seed, 0)), done: map[string]int{}}
	for i := 0; !ended.Load() && (i < j.Operations || len(p.done) < len(operations) && i < 100*j.Operations); i++ {
		if err := p.play(ctx); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(p.done)
}

// operations are the kinds of what a player does.
var operations = []string{"define", "start", "stop", "undefine", "attach", "detach"}

// A player does one thing after the other.
type player struct {
	job
	nets   *network.Manager
	chance *rand.Rand
	guests int
	// done counts the operations that were done, not those that were refused.
	done map[string]int
}

// sharedNetwork is one of the three networks that all programs work on.
func sharedNetwork(i int) string {
	return fmt.Sprintf(`<network><name>net%d</name><forward mode='nat'/><bridge name='br%[1]d' stp='off'/>
<ip address='10.77.%[1]d.1' prefix='24'><dhcp><range start='10.77.%[1]d.100' end='10.77.%[1]d.199'/></dhcp></ip></network>`, i)
}

// play does one operation on one network.
func (p *player) play(ctx context.Context) error {
	i := p.chance.IntN(3)
	name := fmt.Sprintf("net%d", i)
	// Starting and attaching more often than the opposite keeps something there to work on.
	op := []string{"define", "start", "start", "stop", "undefine", "attach", "attach", "attach", "detach", "detach"}[p.chance.IntN(10)]
	var err error
	switch op {
	case "define":
		var n *network.Network
		if n, err = network.Parse(strings.NewReader(sharedNetwork(i))); err == nil {
			err = p.nets.Define(ctx, n)
		}
	case "start":
		err = p.nets.Start(ctx, name)
	case "stop":
		err = p.nets.Stop(ctx, name)
	case "undefine":
		err = p.nets.Undefine(ctx, name)
	case "attach":
		err = p.attach(ctx, name)
	case "detach":
		err = p.detach(ctx, name)
	}
	if err == nil {
		p.done[op]++
		return nil
	}
	return p.allowed(fmt.Sprintf("%s %s", op, name), op, err)
}

// allowed is nil for an error that another program at work on the same network explains. A step that could not be done is
// none of them, but when a network is stopped while a guest is attached.
func (p *player) allowed(what, op string, err error) error {
	var step *host.StepError
	if errors.As(err, &step) && (op != "attach" || step.Undo != nil) {
		return fmt.Errorf("%s: a step: %w", what, err)
	}
	if op == "undefine" && errors.Is(err, network.ErrBusy) {
		return nil // guests wait for its next start
	}
	for _, kind := range []error{network.ErrActive, network.ErrInactive, fs.ErrNotExist, fs.ErrExist} {
		if errors.Is(err, kind) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// attach puts a guest of one kind or the other on a network.
func (p *player) attach(ctx context.Context, name string) error {
	p.guests++
	guest := domainiface.Guest{Name: fmt.Sprintf("%s-%d", p.Name, p.guests)}
	if p.chance.IntN(2) == 0 {
		guest.Namespace = p.Container
	}
	nic, err := domainiface.Parse(strings.NewReader(fmt.Sprintf(
		`<interface type='network'><source network='%s'/><guest dev='%s%d'/></interface>`, name, p.Name, p.guests)))
	if err != nil {
		return err
	}
	_, err = domainiface.Attach(ctx, p.nets, guest, nic)
	return err
}

// detach takes any guest off a network, whoever attached it.
func (p *player) detach(ctx context.Context, name string) error {
	var ports []*network.PortStatus
	for s, err := range p.nets.Ports(ctx, name) {
		if err != nil {
			return err
		}
		ports = append(ports, s)
	}
	if len(ports) == 0 {
		return fs.ErrNotExist
	}
	return p.nets.DeletePort(ctx, name, ports[p.chance.IntN(len(ports))].Port.UUID)
}

// A running program, and what it has said so far.
type runningProgram struct {
	*exec.Cmd
	input      io.Closer
	out, wrong strings.Builder
}

// run starts a program on the host of a killWorld. It ends with the test, at the latest.
func (w *killWorld) run(j job) *runningProgram {
	w.t.Helper()
	j.Namespace, j.Folder = w.ns.Path(), w.folder
	text, err := json.Marshal(j)
	require.NoError(w.t, err)
	p := &runningProgram{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), programEnv+"="+string(text))
	p.Stdout, p.Stderr = &p.out, &p.wrong
	p.input, err = p.StdinPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, p.Start())
	w.endsWithTheTest(p.Cmd)
	return p
}

// endsWithTheTest kills a program when the test ends, also one that failed before it waited for it: nothing must be
// started in a namespace that is being cleared.
func (w *killWorld) endsWithTheTest(cmd *exec.Cmd) {
	w.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

// end waits for a program to end by itself, and returns what it did.
func (w *killWorld) end(p *runningProgram) map[string]int {
	w.t.Helper()
	require.NoError(w.t, p.Wait(), p.wrong.String())
	var done map[string]int
	require.NoError(w.t, json.Unmarshal([]byte(p.out.String()), &done), p.out.String())
	return done
}

// clearUp opens the folder as the next program would, requires that everything there is whole, and takes it away.
func (w *killWorld) clearUp(when string) {
	w.t.Helper()
	ctx := context.Background()
	b, err := linux.Open(linux.Config{Namespace: w.ns.Path(), RunDir: filepath.Join(w.folder, "run")})
	require.NoError(w.t, err)
	defer b.Close()
	store := network.Dir(filepath.Join(w.folder, "state"))
	nets, err := network.Open(ctx, b, store)
	require.NoError(w.t, err, when)
	for i := range 3 {
		name := fmt.Sprintf("net%d", i)
		s, err := nets.Lookup(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			s, err = &network.Status{}, nil
		}
		require.NoError(w.t, err, when)
		w.requireWhole(b, nets, s, name, when)
		for port, err := range nets.Ports(ctx, name) {
			require.NoError(w.t, err, when)
			require.NoError(w.t, nets.DeletePort(ctx, name, port.Port.UUID), when)
		}
		if s.Active() {
			require.NoError(w.t, nets.Stop(ctx, name), when)
		}
		if s.Persistent() {
			require.NoError(w.t, nets.Undefine(ctx, name), when)
		}
	}
	for _, folder := range []string{"networks", "run/networks", "run/ports", "leases"} {
		names, err := store.List(ctx, folder)
		require.NoError(w.t, err)
		require.Empty(w.t, names, "%s: %s", when, folder)
	}
	if diff := testenv.Diff(w.before, w.snapshot()); diff != "" {
		w.t.Fatalf("%s, the host is not as it was:\n%s", when, diff)
	}
}

// requireWhole requires that all of a network and its ports stands. While a network does not run its ports are free.
func (w *killWorld) requireWhole(b *linux.Backend, nets *network.Manager, s *network.Status, name, when string) {
	w.t.Helper()
	ctx := context.Background()
	if s.Active() {
		plan, err := nets.Plan(ctx, name)
		require.NoError(w.t, err, when)
		require.Empty(w.t, plan, "%s, network %s runs in part", when, name)
	}
	for port, err := range nets.Ports(ctx, name) {
		require.NoError(w.t, err, when)
		f, err := b.Facts(ctx, port.Built.Scope())
		require.NoError(w.t, err)
		missing := port.Built.Missing(f)
		if !s.Active() && len(missing) == 1 {
			require.IsType(w.t, host.Plug{}, missing[0].Op, when)
			continue
		}
		require.Empty(w.t, missing, "%s, port %s of network %s stands in part", when, port.Link, name)
	}
}

// TestTwoPrograms lets two programs work on the same three networks at the same time.
func TestTwoPrograms(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	least := 200
	if testing.Short() {
		least = 30
	}
	w := newKillWorld(t, "")
	var programs []*runningProgram
	for i := range 2 {
		programs = append(programs, w.run(job{Container: testenv.New(t).Path(), Name: fmt.Sprintf("p%d", i), Seed: uint64(i), Operations: least}))
	}
	total := map[string]int{}
	for _, p := range programs {
		for op, n := range w.end(p) {
			total[op] += n
		}
	}
	t.Log(total)
	for _, op := range operations {
		require.Positive(t, total[op], "%s was never done: %v", op, total)
	}
	w.clearUp("after two programs")
}

// TestProgramsAreKilled kills one of two programs at moments that chance chooses, and starts it again; the other one goes
// on as if nothing had happened.
func TestProgramsAreKilled(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	const forEver = 1 << 30
	w := newKillWorld(t, "")
	survivor := w.run(job{Container: testenv.New(t).Path(), Name: "s", Seed: 1, Operations: forEver})
	container := testenv.New(t).Path()
	chance := rand.New(rand.NewPCG(3, 4))
	for round := range rounds {
		victim := w.run(job{Container: container, Name: fmt.Sprintf("v%d-", round), Seed: uint64(100 + round), Operations: forEver})
		after := time.Duration(50_000+chance.IntN(400_000)) * time.Microsecond
		timer := time.AfterFunc(after, func() { _ = victim.Process.Kill() })
		err := victim.Wait()
		timer.Stop()
		w.requireKilled(err, []byte(victim.out.String()+victim.wrong.String()))
		require.NoError(t, survivor.Process.Signal(syscall.Signal(0)), "the survivor has ended")
	}
	require.NoError(t, survivor.input.Close())
	t.Log(w.end(survivor))
	w.clearUp("after ten kills")
}
