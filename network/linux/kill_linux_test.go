// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// victimEnv makes this test binary a program that starts and stops a network, and is killed while it does.
const victimEnv = "VIRTNET_TEST_VICTIM"

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(order string) error{victimEnv: victim, programEnv: program, attacherEnv: attacher, updaterEnv: updater, unluckyEnv: unlucky, limitedEnv: limited} {
		order := os.Getenv(variable)
		if order == "" {
			continue
		}
		if err := run(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// errSurvived is that a victim was not killed, because it had nothing more to do.
var errSurvived = errors.New("not killed")

// victim starts and stops the network in a document: its order is "namespace folder document kill", where kill is the
// number of the operation before which it kills itself; a negative number leaves that to somebody else, and it goes on for
// ever.
func victim(order string) error {
	var namespace, folder, document string
	var kill int64
	if _, err := fmt.Sscan(order, &namespace, &folder, &document, &kill); err != nil {
		return err
	}
	ctx := context.Background()
	b, err := linux.Open(linux.Config{Namespace: namespace, RunDir: filepath.Join(folder, "run")})
	if err != nil {
		return err
	}
	nets, err := network.Open(ctx, &suicidal{Backend: b, at: kill}, network.Dir(filepath.Join(folder, "state")))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	n, err := network.Parse(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	if err := nets.Define(ctx, n); err != nil {
		return err
	}
	for {
		if err := nets.Start(ctx, n.Name); err != nil {
			return err
		}
		if err := nets.Stop(ctx, n.Name); err != nil {
			return err
		}
		if kill >= 0 {
			fmt.Println(errSurvived)
			return nil
		}
	}
}

// A suicidal backend kills its program before one of its operations.
type suicidal struct {
	*linux.Backend
	at, n int64
}

func (s *suicidal) Do(ctx context.Context, op host.Op) error {
	if atomic.AddInt64(&s.n, 1)-1 == s.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return s.Backend.Do(ctx, op)
}

// Discard counts operations as Do does.
func (s *suicidal) Discard(ctx context.Context, ops []host.Op) []error {
	if atomic.AddInt64(&s.n, int64(len(ops)))-1 == s.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return s.Backend.Discard(ctx, ops)
}

// DoTogether is left to somebody else's kill: one that counts operations wants to see each.
func (s *suicidal) DoTogether(ctx context.Context, ops []host.Op) (int, error) {
	if s.at >= 0 {
		return 0, nil
	}
	return s.Backend.DoTogether(ctx, ops)
}

// TestKilled kills a program before each operation of starting and stopping a network, and then at moments that chance
// chooses, in the middle of one; whoever opens the folder next finds all or nothing.
func TestKilled(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	document, err := filepath.Abs("../testdata/managed/everything.xml")
	require.NoError(t, err)
	w := newKillWorld(t, document)
	for at := 0; ; at++ {
		out, err := w.victim(at).CombinedOutput()
		if err == nil {
			require.Contains(t, string(out), errSurvived.Error())
			require.Greater(t, at, 10, "the network has more operations than that")
			break
		}
		w.requireKilled(err, out)
		w.allOrNothing(fmt.Sprintf("killed before operation %d", at))
	}
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	chance := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		after := time.Duration(chance.IntN(150_000)) * time.Microsecond
		cmd := w.victim(-1)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		w.requireKilled(err, []byte(out.String()))
		w.allOrNothing(fmt.Sprintf("killed after %s", after))
	}
}

// A killWorld is a host on which programs are killed.
type killWorld struct {
	t                *testing.T
	ns               *testenv.Namespace
	folder, document string
	before           string
}

func newKillWorld(t *testing.T, document string) *killWorld {
	w := &killWorld{t: t, ns: testenv.New(t), folder: t.TempDir(), document: document}
	w.ns.Output(t, "ip", "link", "add", "eth0", "type", "ifb")
	w.ns.SetSysctl(t, "net/ipv6/conf/eth0/disable_ipv6", "1") // its link-local address would come and go
	w.ns.Output(t, "ip", "link", "set", "eth0", "up")
	require.NoError(t, os.MkdirAll(filepath.Join(w.folder, "run"), 0o700))
	w.before = w.snapshot()
	return w
}

func (w *killWorld) victim(at int) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+strings.Join([]string{w.ns.Path(), w.folder, w.document, strconv.Itoa(at)}, " "))
	return cmd
}

func (w *killWorld) requireKilled(err error, out []byte) {
	w.t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(w.t, err, &exit)
	status := exit.Sys().(syscall.WaitStatus)
	require.True(w.t, status.Signaled() && status.Signal() == syscall.SIGKILL, "the victim ended by itself: %v: %s", err, out)
}

// open opens the folder as the next program would.
func (w *killWorld) open(when string) (*linux.Backend, *network.Manager) {
	w.t.Helper()
	b, err := linux.Open(linux.Config{Namespace: w.ns.Path(), RunDir: filepath.Join(w.folder, "run")})
	require.NoError(w.t, err)
	nets, err := network.Open(context.Background(), b, network.Dir(filepath.Join(w.folder, "state")))
	require.NoError(w.t, err, when)
	return b, nets
}

// allOrNothing opens the folder as the next program would, and stops what it finds running.
func (w *killWorld) allOrNothing(when string) {
	w.t.Helper()
	ctx := context.Background()
	b, nets := w.open(when)
	defer b.Close()
	for s, err := range nets.All(ctx) {
		require.NoError(w.t, err, when)
		if !s.Active() {
			continue
		}
		plan, err := nets.Plan(ctx, s.Name)
		require.NoError(w.t, err, when)
		require.Empty(w.t, plan, "%s, the network runs in part", when)
		require.NoError(w.t, nets.Stop(ctx, s.Name), when)
	}
	if diff := testenv.Diff(w.before, w.snapshot()); diff != "" {
		w.t.Fatalf("%s, the host is not as it was:\n%s", when, diff)
	}
}

func (w *killWorld) snapshot() string {
	var files []string
	run := filepath.Join(w.folder, "run")
	require.NoError(w.t, filepath.WalkDir(run, func(path string, _ os.DirEntry, err error) error {
		files = append(files, strings.TrimPrefix(path, run))
		return err
	}))
	// Of the store, what was being written.
	for _, pattern := range []string{"state/.new-*", "state/*/.new-*", "state/*/*/.new-*"} {
		found, err := filepath.Glob(filepath.Join(w.folder, pattern))
		require.NoError(w.t, err)
		files = append(files, found...)
	}
	return w.ns.Snapshot(w.t) + "\nprocesses: " + strings.Join(w.ns.Programs(w.t), ", ") + "\nfiles: " + strings.Join(files, ", ") + "\n"
}
