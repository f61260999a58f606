// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// A questioner asks a name server again and again, and notes for how long it had no answer at most, and how often it was
// told that nobody listens.
type questioner struct {
	stop    chan struct{}
	done    sync.WaitGroup
	longest time.Duration
	refused int
}

func newQuestioner(t *testing.T, ns *testenv.Namespace) *questioner {
	t.Helper()
	q := &questioner{stop: make(chan struct{})}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("1.0.9.10.in-addr.arpa."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}},
	}
	packet, err := m.Pack()
	require.NoError(t, err)
	var conn net.Conn
	ns.Run(t, func() { conn, err = net.Dial("udp", "10.9.0.1:53") })
	require.NoError(t, err)
	q.done.Go(func() {
		defer conn.Close()
		buffer := make([]byte, 512)
		last := time.Now()
		for {
			select {
			case <-q.stop:
				return
			default:
			}
			_, err := conn.Write(packet)
			if err == nil {
				err = conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
			}
			if err == nil {
				_, err = conn.Read(buffer)
			}
			switch {
			case err == nil:
				q.longest = max(q.longest, time.Since(last))
				last = time.Now()
			case errors.Is(err, syscall.ECONNREFUSED):
				q.refused++
			}
		}
	})
	return q
}

func (q *questioner) end() {
	close(q.stop)
	q.done.Wait()
}

// TestServiceGap measures for how long names are not answered while a server gets another configuration, and while it only gets
// other names: then there is always somebody who listens.
func TestServiceGap(t *testing.T) { onBoth(t, testServiceGap) }

func testServiceGap(t *testing.T, p *place) {
	do(t, p.Backend, serve4())
	for name, op := range map[string]host.SetServer{"started again": again(), "other names": more()} {
		var gaps []time.Duration
		refused := 0
		for range 10 {
			q := newQuestioner(t, p.ns)
			do(t, p.Backend, op, op.Inverse())
			q.end()
			gaps = append(gaps, q.longest)
			refused += q.refused
		}
		slices.Sort(gaps)
		t.Logf("%s: without an answer: median %s, longest %s; %d times nobody listened", name, gaps[len(gaps)/2], gaps[len(gaps)-1], refused)
		if name == "other names" {
			require.Zero(t, refused)
		}
	}
	do(t, p.Backend, serve4().Inverse())
}
