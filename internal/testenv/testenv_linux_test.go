// SPDX-License-Identifier: Apache-2.0

package testenv_test

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/stretchr/testify/require"
)

func linkNames(t *testing.T) []string {
	t.Helper()
	links, err := net.Interfaces()
	require.NoError(t, err)
	var names []string
	for _, l := range links {
		names = append(names, l.Name)
	}
	return names
}

func TestNamespaceIsSeparate(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	outside := linkNames(t)
	a, b := testenv.New(t), testenv.New(t)
	testenv.Connect(t, a, b, "left", "right")
	home, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	own, err := os.Readlink("/proc/thread-self/ns/net")
	require.NoError(t, err)
	require.Equal(t, own, home, "the process as a whole has not moved")
	a.Run(t, func() { require.ElementsMatch(t, []string{"lo", "left"}, linkNames(t)) })
	b.Run(t, func() { require.ElementsMatch(t, []string{"lo", "right"}, linkNames(t)) })
	require.Equal(t, outside, linkNames(t), "the test's goroutine is outside again")
	require.Contains(t, a.Output(t, "ip", "-br", "link", "show", "lo"), "LOOPBACK,UP")

	a.Output(t, "ip", "addr", "add", "192.0.2.1/24", "dev", "left")
	b.Output(t, "ip", "addr", "add", "192.0.2.2/24", "dev", "right")
	var server, client net.Conn
	b.Run(t, func() {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 7})
		require.NoError(t, err)
		server = conn
	})
	defer server.Close()
	a.Run(t, func() {
		conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 7})
		require.NoError(t, err)
		client = conn
	})
	defer client.Close()
	_, err = client.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, server.SetReadDeadline(time.Now().Add(10*time.Second)))
	got := make([]byte, 16)
	n, err := server.Read(got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got[:n]))
}

func TestNamespacesInParallel(t *testing.T) {
	testenv.NeedRoot(t)
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			ns := testenv.New(t)
			name := fmt.Sprintf("own%d", i)
			ns.Output(t, "ip", "link", "add", name, "type", "bridge")
			ns.Run(t, func() { require.ElementsMatch(t, []string{"lo", name}, linkNames(t)) })
		})
	}
}

func TestSnapshot(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	ns := testenv.New(t)
	before := ns.Snapshot(t)
	ns.Unchanged(t, before, "at once")

	changes := []struct {
		name     string
		do, undo []string
	}{
		{"link", []string{"ip", "link", "add", "br0", "type", "bridge"}, []string{"ip", "link", "del", "br0"}},
		{"alias", []string{"ip", "link", "set", "lo", "alias", "mine"}, []string{"ip", "link", "set", "lo", "alias", ""}},
		{"address", []string{"ip", "addr", "add", "192.0.2.1/32", "dev", "lo"}, []string{"ip", "addr", "del", "192.0.2.1/32", "dev", "lo"}},
		{"ipv6 route", []string{"ip", "route", "add", "2001:db8::/64", "dev", "lo", "table", "7"}, []string{"ip", "route", "del", "2001:db8::/64", "dev", "lo", "table", "7"}},
		{"rule", []string{"ip", "rule", "add", "pref", "5", "table", "7"}, []string{"ip", "rule", "del", "pref", "5"}},
		{"filter", []string{"nft", "add", "table", "inet", "mine"}, []string{"nft", "delete", "table", "inet", "mine"}},
	}
	for _, change := range changes {
		ns.Output(t, change.do[0], change.do[1:]...)
		require.NotEmpty(t, testenv.Diff(before, ns.Snapshot(t)), change.name)
		ns.Output(t, change.undo[0], change.undo[1:]...)
		ns.Unchanged(t, before, "after "+change.name)
	}
	const parameter = "net/ipv4/conf/lo/accept_local"
	ns.SetSysctl(t, parameter, "1")
	require.Equal(t, "1", ns.Sysctl(t, parameter))
	require.Equal(t, "-"+parameter+"=0\n+"+parameter+"=1\n", testenv.Diff(before, ns.Snapshot(t)))
}

func TestDiff(t *testing.T) {
	require.Empty(t, testenv.Diff("a\nb\n", "a\nb\n"))
	require.Equal(t, "-b\n+c\n+a\n", testenv.Diff("a\nb\n", "c\na\na\n"))
}

func TestProgramsEndWithTheTest(t *testing.T) {
	testenv.NeedRoot(t)
	done := make(chan error, 1)
	t.Run("inner", func(t *testing.T) {
		ns := testenv.New(t)
		sleeper := ns.Command(t.Context(), "sleep", "600")
		sleeper.Cancel = func() error { return os.ErrProcessDone }
		require.NoError(t, sleeper.Start())
		testenv.WaitFor(t, 5*time.Second, "sleep is inside", func() bool {
			programs := ns.Programs(t)
			return len(programs) == 1 && programs[0] == fmt.Sprintf("%d sleep", sleeper.Process.Pid)
		})
		go func() { done <- sleeper.Wait() }()
	})
	select {
	case err := <-done:
		require.ErrorContains(t, err, "killed")
	case <-time.After(10 * time.Second):
		t.Fatal("the program goes on")
	}
}
