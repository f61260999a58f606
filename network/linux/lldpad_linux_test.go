// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/internal/vdp"
)

// An agent is an lldpad in a network namespace, with processes, mounts and shared memory of its own: it is told apart from
// others by nothing else.
type agent struct {
	ns  *testenv.Namespace
	log string
	// pid is the file with the number of its process.
	pid  string
	stop func()
}

// needAgent skips a test without the programs of the Debian package lldpad.
func needAgent(t testing.TB) {
	t.Helper()
	testenv.NeedRoot(t)
	for _, program := range []string{"lldpad", "lldptool", "unshare", "nsenter"} {
		testenv.NeedProgram(t, program)
	}
}

// What agents are on a link: a station or a bridge of 802.1Qbg-2012, a bridge that cannot reflect, and a bridge of the draft.
const (
	agentStation     = `tlvid0080c20d : { enableTx = true; evbmode = "station"; evbrrreq = true; };`
	agentBridge      = `tlvid0080c20d : { enableTx = true; evbmode = "bridge"; evbrrcap = true; };`
	agentPlainBridge = `tlvid0080c20d : { enableTx = true; evbmode = "bridge"; evbrrcap = false; };`
	agentDraft       = `tlvid001b3f00 : { enableTx = true; fmode = "reflectiverelay"; capabilities = "rte,ecp,vdp"; }; vdp : { enableTx = true; role = "bridge"; };`
)

// startAgent starts lldpad with a role on a link and waits until it can be asked. It ends with the test, also when that is
// killed, or when stop is called.
func startAgent(t testing.TB, ns *testenv.Namespace, link, role string) *agent {
	t.Helper()
	return startAgentIn(t, t.TempDir(), ns, link, role)
}

// startAgentIn starts an agent that has that folder for /run.
func startAgentIn(t testing.TB, run string, ns *testenv.Namespace, link, role string) *agent {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "lldpad.conf")
	text := fmt.Sprintf("nearest_customer_bridge : { %s : { adminStatus = 3; %s }; };\n", link, role)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	a := &agent{ns: ns, log: filepath.Join(dir, "log"), pid: filepath.Join(run, "lldpad.pid")}
	log, err := os.Create(a.log)
	require.NoError(t, err)
	defer log.Close()
	cmd := ns.Command(context.Background(), "unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--",
		"sh", "-c", `mount -t tmpfs shm /dev/shm && mount --bind "$1" /run && exec $(command -v stdbuf && echo -oL) lldpad -V 7 -f "$0"`, config, run)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	ended := make(chan struct{})
	go func() { // the death signal is for the thread that started it, so this goroutine keeps it
		started <- cmd.Start()
		_ = cmd.Wait()
		close(ended)
	}()
	require.NoError(t, <-started)
	a.stop = func() {
		_ = cmd.Process.Kill()
		<-ended
		testenv.WaitFor(t, 10*time.Second, "the end of lldpad", func() bool { return a.tool("-p") != nil })
		_ = os.Remove(a.pid) // which would be that of the next
	}
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			text, _ := os.ReadFile(a.log)
			t.Logf("lldpad on %s said:\n%s", link, text)
		}
	})
	testenv.WaitFor(t, 20*time.Second, "lldpad", func() bool { return a.tool("-p") == nil })
	return a
}

// vsiLine is what lldpad says in its log of a guest that it is asked about: what is wanted of it, and who it is.
var vsiLine = regexp.MustCompile(`vsi:0x\S+ flags:\S+ vsi_mode:(\d),.* ([0-9a-f-]{36}) format:`)

// guests are those that an agent which plays the bridge has taken in on a link. It keeps in its list those that it was told to
// forget, until it would have to be reminded of them, and only its log tells them apart: where that is written at once, by
// stdbuf.
func (a *agent) guests(t testing.TB, link string) (ids []string) {
	t.Helper()
	testenv.WaitFor(t, 10*time.Second, "what lldpad says of guests", func() (settled bool) {
		ids, settled = a.guestsNow(t, link)
		return settled
	})
	return ids
}

// guestsNow is not settled if lldpad has just begun with a guest, which its log has and its list not.
func (a *agent) guestsNow(t testing.TB, link string) (ids []string, settled bool) {
	t.Helper()
	text, err := os.ReadFile(a.pid)
	require.NoError(t, err)
	number, err := strconv.ParseUint(strings.Trim(string(text), "\n\x00"), 10, 31)
	require.NoError(t, err)
	enter := func(f func() error) (err error) {
		a.ns.Run(t, func() { err = f() })
		return err
	}
	conn, err := rtnl.Open(enter)
	require.NoError(t, err)
	defer conn.Close()
	asked, err := conn.Agent(uint32(number))
	require.NoError(t, err)
	defer asked.Close()
	card, err := conn.Link(link)
	require.NoError(t, err)
	list, err := asked.Responses(t.Context(), card.Index)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		return nil, true // it has not come to the link yet
	}
	require.NoError(t, err)
	after, err := os.ReadFile(a.log)
	require.NoError(t, err)
	asking := bytes.LastIndex(after, []byte("nlh_type:18")) // RTM_GETLINK
	require.Positive(t, asking)
	said := vsiLine.FindAllSubmatch(after[asking:], -1)
	for _, m := range said {
		if vdp.Mode(m[1][0]-'0') != vdp.Disassociate {
			ids = append(ids, string(m[2]))
		}
	}
	return ids, len(said) == len(list)
}

// tool asks an agent.
func (a *agent) tool(args ...string) error {
	return a.ns.Command(context.Background(), "lldptool", args...).Run()
}

// neighbour is what an agent has heard on a link.
func (a *agent) neighbour(link string) string {
	out, _ := a.ns.Command(context.Background(), "lldptool", "-t", "-n", "-i", link, "-g", "ncb").Output()
	return strings.TrimSpace(string(out))
}

// agree waits until a station has heard of the bridge at the other end of a link.
func (a *agent) agree(t testing.TB, link string) {
	t.Helper()
	testenv.WaitFor(t, 30*time.Second, "the agents know each other", func() bool { return strings.Contains(a.neighbour(link), "mode:bridge") })
}
