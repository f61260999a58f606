// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/servetest"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

var others = []netip.Addr{netip.MustParseAddr("198.51.100.53"), netip.MustParseAddr("198.51.100.54")}

// asks asks the server of a place.
func (p *place) asks(t *testing.T, q servetest.DNSQuestion) servetest.Answer {
	t.Helper()
	return servetest.AskDNS(t, p.ns, netip.MustParseAddr("10.9.0.1"), q)
}

// TestOthersAnswer: what others say is passed on whole, cut off where it is too long, and by TCP for those who ask again; who
// cannot answer has another asked in its place.
func TestOthersAnswer(t *testing.T) { onBoth(t, testOthersAnswer) }

func testOthersAnswer(t *testing.T, p *place) {
	servetest.NewUpstream(t, p.ns, others...)
	op := serve4()
	op.Server.DNS.Forwarders = []host.Forwarder{{Addr: others[0]}, {Addr: others[1]}}
	do(t, p.Backend, op)
	a := dnsmessage.TypeA
	require.Contains(t, p.asks(t, servetest.DNSQuestion{Name: "www.example.", Type: a})["answer"], "{203, 0, 0, 1}")
	require.Equal(t, "NameError", p.asks(t, servetest.DNSQuestion{Name: "nx.example.", Type: a})["code"])
	cut := p.asks(t, servetest.DNSQuestion{Name: "long.example.", Type: a})
	require.Contains(t, cut["flags"], "cut off")
	require.Empty(t, cut["answer"])
	for _, q := range []servetest.DNSQuestion{{Name: "long.example.", Type: a, TCP: true}, {Name: "long.example.", Type: a, EDNS: 1232}} {
		whole := p.asks(t, q)
		require.NotContains(t, whole["flags"], "cut off", q)
		require.Equal(t, 60, strings.Count(whole["answer"], "AResource"), q)
	}
	require.Contains(t, p.asks(t, servetest.DNSQuestion{Name: "first.example.", Type: a})["answer"], "{203, 0, 0, 2}", "the first has failed")
	require.Contains(t, p.asks(t, servetest.DNSQuestion{Name: "mute.example.", Type: a})["answer"], "{203, 0, 0, 2}", "the first says nothing")
	if p.here { // dnsmasq says nothing
		require.Equal(t, "ServerFailure", p.asks(t, servetest.DNSQuestion{Name: "fail.example.", Type: a})["code"], "none of them can")
	}
	do(t, p.Backend, op.Inverse())
}

// TestResolversFollowed: the servers that the host asks may change while a network is served.
func TestResolversFollowed(t *testing.T) { onBoth(t, testResolversFollowed) }

func testResolversFollowed(t *testing.T, p *place) {
	servetest.NewUpstream(t, p.ns, others...)
	folder := filepath.Join(filepath.Dir(p.dir), "etc")
	require.NoError(t, os.Mkdir(folder, 0o755))
	for dir := folder; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) // so that a server can read it
	}
	file := filepath.Join(folder, "resolv.conf")
	say := func(server netip.Addr) {
		require.NoError(t, os.WriteFile(file+".new", fmt.Appendf(nil, "search example\nnameserver %s\n", server), 0o644))
		require.NoError(t, os.Rename(file+".new", file))
	}
	say(others[0])
	op := serve4()
	op.Server.DNS.NoForward = false
	op.Server.Options = []string{"resolv-file=" + file}
	do(t, p.Backend, op)
	asked := 0
	by := func() string {
		asked++
		return p.asks(t, servetest.DNSQuestion{Name: fmt.Sprintf("n%d.example.", asked), Type: dnsmessage.TypeA})["answer"]
	}
	require.Contains(t, by(), "{203, 0, 0, 1}")
	say(others[1])
	testenv.WaitFor(t, 60*time.Second, "the other server is asked", func() bool { return strings.Contains(by(), "{203, 0, 0, 2}") })
	say(others[0])
	testenv.WaitFor(t, 60*time.Second, "the first server is asked again", func() bool { return strings.Contains(by(), "{203, 0, 0, 1}") })
	do(t, p.Backend, op.Inverse())
}
