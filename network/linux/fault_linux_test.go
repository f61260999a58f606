// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// unluckyEnv makes this test binary a program that does one thing, during which a system call fails.
const unluckyEnv = "VIRTNET_TEST_UNLUCKY"

// everyCall is for the hour in which there is time for each of them.
var everyCall = flag.Bool("every-call", false, "have each system call fail, not only the first and some of the others")

// A deed is what such a program is told to do.
type deed struct {
	// Container is the namespace of a guest, Folder has the state.
	Container, Folder string
	// Do is one of deeds.
	Do string
	// Interface is the document of a guest; empty is that of the deed.
	Interface string
}

// A fate is what became of it.
type fate struct {
	// Error is why it was not done; empty if it was. Step is the operation on the host that failed, and Undo says that not all
	// before it could be taken back.
	Error string
	Step  string
	Undo  bool
}

// deeds are what is done to the network lan and its guest.
var deeds = map[string]func(ctx context.Context, nets *network.Manager, d deed) error{
	"start":           func(ctx context.Context, nets *network.Manager, _ deed) error { return nets.Start(ctx, "lan") },
	"stop":            func(ctx context.Context, nets *network.Manager, _ deed) error { return nets.Stop(ctx, "lan") },
	"stop discarding": func(ctx context.Context, nets *network.Manager, _ deed) error { return nets.Stop(ctx, "lan") },
	"attach tap": func(ctx context.Context, nets *network.Manager, d deed) error {
		return attachTo(ctx, nets, d, `<interface type='network'><source network='lan'/><bandwidth><inbound average='1000'/></bandwidth></interface>`)
	},
	"attach veth": func(ctx context.Context, nets *network.Manager, d deed) error {
		return attachTo(ctx, nets, d, `<interface type='network'><source network='lan'/><guest dev='eth0'/></interface>`)
	},
	"attach macvtap": func(ctx context.Context, nets *network.Manager, d deed) error {
		return attachTo(ctx, nets, d, `<interface type='direct'><source dev='eth0' mode='bridge'/></interface>`)
	},
	"detach":            func(ctx context.Context, nets *network.Manager, _ deed) error { return detach(ctx, nets) },
	"detach discarding": func(ctx context.Context, nets *network.Manager, _ deed) error { return detach(ctx, nets) },
	"update": func(ctx context.Context, nets *network.Manager, _ deed) error {
		n, err := network.Parse(strings.NewReader(strings.Replace(unluckyNetwork, "10.66.0.99", "10.66.0.77", 1)))
		if err == nil {
			_, err = nets.Update(ctx, "lan", network.UpdateRequest{Document: n, Live: true, Config: true, Disruptive: true})
		}
		return err
	},
}

const unluckyNetwork = `<network><name>lan</name><uuid>0b3a1a2c-6b52-4c4c-9c9f-6f1b8a4d9a01</uuid><forward mode='nat'/><bridge name='br0' stp='off'/><mac address='52:54:00:00:00:01'/>
<ip address='10.66.0.1' prefix='24'><dhcp><range start='10.66.0.10' end='10.66.0.99'/></dhcp></ip></network>`

// discards reports whether the deed leaves devices to be removed behind it.
func (d deed) discards() bool { return strings.HasSuffix(d.Do, " discarding") }

// detach takes the only port away.
func detach(ctx context.Context, nets *network.Manager) error {
	for _, name := range []string{"lan", ""} {
		for p, err := range nets.Ports(ctx, name) {
			if err != nil {
				return err
			}
			return nets.DeletePort(ctx, name, p.Port.UUID)
		}
	}
	return errors.New("there is no port")
}

func attachTo(ctx context.Context, nets *network.Manager, d deed, document string) error {
	if d.Interface != "" {
		document = d.Interface
	}
	i, err := domainiface.Parse(strings.NewReader(document))
	if err != nil {
		return err
	}
	g := domainiface.Guest{Name: "guest"}
	if d.Do == "attach veth" {
		g.Namespace = d.Container
	}
	_, err = domainiface.Attach(ctx, nets, g, i)
	return err
}

// unlucky does one deed, when it is told to on its standard input, on a thread whose number it says before.
func unlucky(order string) error {
	runtime.LockOSThread()
	var d deed
	if err := json.Unmarshal([]byte(order), &d); err != nil {
		return err
	}
	ctx := context.Background()
	b, err := linux.Open(linux.Config{RunDir: filepath.Join(d.Folder, "run")})
	if err != nil {
		return err
	}
	nets, err := network.Config{Discard: d.discards()}.Open(ctx, b, network.Dir(filepath.Join(d.Folder, "state")))
	if err != nil {
		return err
	}
	b.ReapLate() // as if it was killed then
	fmt.Println(unix.Gettid())
	if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
		return err
	}
	var f fate
	if err := deeds[d.Do](ctx, nets, d); err != nil {
		f.Error = err.Error()
		var step *host.StepError
		if errors.As(err, &step) {
			f.Step, f.Undo = step.Step.Op.String(), step.Undo != nil
		}
	}
	told := make(chan error)
	go func() { told <- json.NewEncoder(os.Stdout).Encode(f) }() // on a thread on which nothing fails
	return <-told
}

// saysWhat finds the place in a document that asks for what failed, the file of the store, or what of the host was looked at.
var saysWhat = regexp.MustCompile(`/(network|interface|networkport)\b|store: |/(state|run)/|look at the host: [a-z ]+: |look at the host: open /`)

// A fault is what the n-th call of a kind answers instead of doing anything.
type fault struct {
	call, errno string
	n           int
}

func (f fault) String() string { return fmt.Sprintf("%s number %d: %s", f.call, f.n, f.errno) }

// TestEverySystemCallFails has each system call of each operation that may fail do so once, in turn: all is done then, or nothing
// and the error says of what. Without -every-call it takes the first of each kind, and of the later ones some.
func TestEverySystemCallFails(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "strace")
	calls := []struct{ call, errno string }{
		{"sendto", "ENOBUFS"}, {"sendto", "EINTR"}, {"recvfrom", "ENOBUFS"}, {"recvfrom", "EINTR"}, {"ioctl", "EBUSY"}, {"openat", "EMFILE"},
		{"openat", "EACCES"}, {"write", "ENOSPC"}, {"write", "EINTR"}, {"renameat", "ENOSPC"}, {"fsync", "EIO"}, {"unlinkat", "EPERM"}, {"mkdirat", "ENOSPC"},
		{"clone", "EAGAIN"}, {"pidfd_send_signal", "EPERM"}, {"socket", "EMFILE"}, {"ppoll", "EINTR"},
	}
	for _, do := range slices.Sorted(maps.Keys(deeds)) {
		t.Run(do, func(t *testing.T) {
			if testing.Short() && (deed{Do: do}).discards() {
				testenv.Skip(t, "it takes ten seconds, and is run in full elsewhere")
			}
			t.Parallel()
			w := newUnluckyWorld(t, do)
			for _, c := range calls {
				for n := 1; w.suffers(fault{c.call, c.errno, n}) && !testing.Short(); n++ {
					if !*everyCall {
						n += n / 3
					}
				}
			}
			t.Log(w.summary())
			w.finish()
		})
	}
}

// An unluckyWorld is a host on which one deed fails again and again.
type unluckyWorld struct {
	*killWorld
	deed
	// faults and done count what was tried, and what was done in spite of it.
	faults, done map[string]int
}

func newUnluckyWorld(t *testing.T, do string) *unluckyWorld {
	k := newKillWorld(t, "")
	w := &unluckyWorld{killWorld: k, deed: deed{Container: testenv.New(t).Path(), Folder: k.folder, Do: do}, faults: map[string]int{}, done: map[string]int{}}
	b, nets := w.open("to begin with")
	defer b.Close()
	n, err := network.Parse(strings.NewReader(unluckyNetwork))
	require.NoError(t, err)
	require.NoError(t, nets.Define(t.Context(), n))
	return w
}

func (w *unluckyWorld) summary() string {
	var b strings.Builder
	for _, c := range slices.Sorted(maps.Keys(w.faults)) {
		fmt.Fprintf(&b, "%s: %d, done all the same: %d\n", c, w.faults[c], w.done[c])
	}
	return b.String()
}

// suffers has the deed done with a fault in it, and reports whether there was an occasion for that.
func (w *unluckyWorld) suffers(f fault) bool {
	w.t.Helper()
	w.prepare()
	before := w.everything()
	what, trace, crashed := w.run(f.String(), f.strace()...)
	met := strings.Contains(trace, "(INJECTED)")
	if met {
		w.faults[f.call+" "+f.errno]++
	}
	after := w.everything()
	switch {
	case crashed:
	case what.Error == "" || strings.Contains(what.Error, "runs, but"):
		w.done[f.call+" "+f.errno]++
	default:
		if !saysWhat.MatchString(what.Error) {
			w.t.Errorf("%s: the error does not say what could not be done: %s", f, what.Error)
		}
		if takesAway := strings.HasPrefix(w.Do, "stop") || strings.HasPrefix(w.Do, "detach"); !takesAway && !what.Undo && after != before {
			w.t.Errorf("%s: %s\nand the host is not as it was:\n%s", f, what.Error, testenv.Diff(before, after))
		}
	}
	w.restore(f, what)
	return met
}

// prepare brings about what the deed needs.
func (w *unluckyWorld) prepare() {
	w.t.Helper()
	if w.Do == "start" {
		return
	}
	b, nets := w.open("before")
	defer b.Close()
	ctx := context.Background()
	if s, err := nets.Lookup(ctx, "lan"); err != nil || !s.Active() {
		require.NoError(w.t, err)
		require.NoError(w.t, nets.Start(ctx, "lan"))
	}
	if strings.HasPrefix(w.Do, "detach") {
		require.NoError(w.t, deeds["attach tap"](ctx, nets, w.deed))
	}
}

// everything is the host, and what the store says that there is of ports and what runs.
func (w *unluckyWorld) everything() string {
	w.t.Helper()
	var names []string
	for _, folder := range []string{"run/networks", "run/ports"} {
		found, err := network.Dir(filepath.Join(w.folder, "state")).List(context.Background(), folder)
		require.NoError(w.t, err)
		names = append(names, found...)
	}
	return w.snapshot() + "records " + strings.Join(names, " ") + "\n"
}

// run runs the program under strace with these arguments, and returns what became of it, what strace says, and whether the runtime
// of the language did not survive it.
func (w *unluckyWorld) run(f string, args ...string) (what fate, text string, crashed bool) {
	w.t.Helper()
	order, err := json.Marshal(w.deed)
	require.NoError(w.t, err)
	cmd := w.ns.Command(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), unluckyEnv+"="+string(order))
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	require.NoError(w.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, cmd.Start())
	w.endsWithTheTest(cmd)
	lines := bufio.NewScanner(out)
	require.True(w.t, lines.Scan(), "%s: %s", f, &said)
	trace := w.trace(append(args, "-p", lines.Text())...)
	_, err = in.Write([]byte{1})
	require.NoError(w.t, err)
	if lines.Scan() {
		require.NoError(w.t, json.Unmarshal(lines.Bytes(), &what), lines.Text())
	}
	err = cmd.Wait()
	text = trace.end()
	if err != nil {
		crashed = true
		require.Contains(w.t, said.String(), "fatal error", "%s: %v", f, err)
	}
	return what, text, crashed
}

// strace are the arguments that have strace bring about the fault.
func (f fault) strace() []string {
	calls := f.call
	if f.call == "clone" {
		calls = "clone,clone3,vfork"
	}
	return []string{"-e", "trace=" + calls, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", calls, f.errno, f.n)}
}

// A tracer is a strace of one thread.
type tracer struct {
	t    testing.TB
	cmd  *exec.Cmd
	file string
}

func (w *unluckyWorld) trace(args ...string) *tracer {
	w.t.Helper()
	tr := &tracer{t: w.t, file: filepath.Join(w.t.TempDir(), "trace")}
	tr.cmd = exec.Command("strace", append([]string{"-o", tr.file}, args...)...)
	says, err := tr.cmd.StderrPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, tr.cmd.Start())
	w.endsWithTheTest(tr.cmd)
	line, err := bufio.NewReader(says).ReadString('\n')
	require.NoError(w.t, err)
	require.Contains(w.t, line, "attached")
	go func() { _, _ = io.Copy(io.Discard, says) }()
	return tr
}

// end waits for the end of the trace, and returns it.
func (tr *tracer) end() string {
	tr.t.Helper()
	timer := time.AfterFunc(10*time.Second, func() { _ = tr.cmd.Process.Signal(syscall.SIGINT) })
	defer timer.Stop()
	_ = tr.cmd.Wait()
	text, err := os.ReadFile(tr.file)
	require.NoError(tr.t, err)
	return string(text)
}

// restore opens the folder as the next program would, requires that all or nothing is there, and takes away what there is.
func (w *unluckyWorld) restore(f fault, what fate) {
	w.t.Helper()
	ctx := context.Background()
	when := fmt.Sprintf("%s: %s", f, what.Error)
	b, nets := w.open(when)
	defer b.Close()
	s, err := nets.Lookup(ctx, "lan")
	require.NoError(w.t, err, when)
	w.requireWhole(b, nets, s, "lan", when)
	w.requireWhole(b, nets, &network.Status{}, "", when)
	for _, name := range []string{"lan", ""} {
		for p, err := range nets.Ports(ctx, name) {
			require.NoError(w.t, err, when)
			require.NoError(w.t, nets.DeletePort(ctx, name, p.Port.UUID), when)
		}
	}
	if s.Active() && !w.aboutGuest() {
		w.stop(nets, when)
	}
}

// aboutGuest reports whether the deed leaves the network alone.
func (w *unluckyWorld) aboutGuest() bool {
	return strings.HasPrefix(w.Do, "detach") || strings.HasPrefix(w.Do, "attach")
}

// finish stops the network that deeds about guests left running.
func (w *unluckyWorld) finish() {
	w.t.Helper()
	if !w.aboutGuest() {
		return
	}
	b, nets := w.open("at the end")
	defer b.Close()
	w.stop(nets, "at the end")
}

func (w *unluckyWorld) stop(nets *network.Manager, when string) {
	w.t.Helper()
	require.NoError(w.t, nets.Stop(context.Background(), "lan"), when)
	if diff := testenv.Diff(w.before, w.snapshot()); diff != "" {
		w.t.Fatalf("%s\nstopped, the host is not as it was:\n%s", when, diff)
	}
}
