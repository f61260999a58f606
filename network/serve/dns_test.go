// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// edns says how long an answer may be, and whether its proof is wanted.
func edns(t *testing.T, size int, proof bool) dnsmessage.Resource {
	t.Helper()
	var h dnsmessage.ResourceHeader
	require.NoError(t, h.SetEDNS0(size, dnsmessage.RCodeSuccess, proof))
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}}
}

func TestReadQuestion(t *testing.T) {
	packet := packed(t, "www.example.", dnsmessage.TypeA, edns(t, 4096, false))
	q, ok := readQuestion(packet)
	require.True(t, ok)
	require.True(t, q.edns)
	require.Equal(t, mostUDP, q.size)
	q, ok = readQuestion(packed(t, "www.example.", dnsmessage.TypeA))
	require.True(t, ok)
	require.Equal(t, plainUDP, q.size)
	for n := range packet {
		_, ok := readQuestion(packet[:n])
		require.False(t, ok, "cut off after %d bytes", n)
	}
	packet[2] |= 0x80
	_, ok = readQuestion(packet)
	require.False(t, ok, "an answer is no question")
}

// TestReply: an answer repeats the question, and one that is too long says so and is none.
func TestReply(t *testing.T) {
	q, ok := readQuestion(packed(t, "Info.Example.", dnsmessage.TypeTXT, edns(t, 600, false)))
	require.True(t, ok)
	long := records(&dnsmessage.TXTResource{TXT: pieces(strings.Repeat("x", 700))})
	for size, cut := range map[int]bool{0: false, 600: true, 1232: false} {
		packet, err := q.reply(dnsmessage.RCodeSuccess, long, size)
		require.NoError(t, err)
		require.True(t, size == 0 || len(packet) <= size)
		var m dnsmessage.Message
		require.NoError(t, m.Unpack(packet))
		require.Equal(t, cut, m.Truncated)
		require.Equal(t, cut, len(m.Answers) == 0)
		require.Equal(t, uint16(7), m.ID)
		require.Equal(t, "Info.Example.", m.Questions[0].Name.String())
		require.Len(t, m.Additionals, 1, "EDNS is answered with EDNS")
	}
}

func TestAnswers(t *testing.T) {
	question := packed(t, "www.example.", dnsmessage.TypeA)
	back := func(change func(m *dnsmessage.Message)) []byte {
		var m dnsmessage.Message
		require.NoError(t, m.Unpack(question))
		m.Response = true
		change(&m)
		packet, err := m.Pack()
		require.NoError(t, err)
		return packet
	}
	asked, ok := readQuestion(question)
	require.True(t, ok)
	require.True(t, answers(back(func(*dnsmessage.Message) {}), asked))
	require.True(t, answers(back(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("WWW.example.") }), asked))
	require.False(t, answers(question, asked), "it comes back as it was sent")
	require.False(t, answers(back(func(m *dnsmessage.Message) { m.ID++ }), asked))
	require.False(t, answers(back(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("other.example.") }), asked))
	require.False(t, answers(back(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }), asked))
	require.False(t, answers(nil, asked))
}

// answered is the answer of another server, with records of these lifetimes.
func answered(t *testing.T, code dnsmessage.RCode, ttl ...uint32) []byte {
	t.Helper()
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(packed(t, "www.example.", dnsmessage.TypeA)))
	m.Response, m.RCode = true, code
	h := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}
	for _, ttl := range ttl {
		h.TTL = ttl
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}})
	}
	if len(ttl) == 0 {
		h.TTL = 900
		root := dnsmessage.MustNewName(".")
		m.Authorities = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.SOAResource{NS: root, MBox: root, MinTTL: 60}}}
	}
	packet, err := m.Pack()
	require.NoError(t, err)
	return packet
}

func TestCache(t *testing.T) {
	q, key := asks(t, "www.example.", dnsmessage.TypeA), cacheKey{name: "www.example.", kind: dnsmessage.TypeA}
	for name, c := range map[string]struct {
		answer []byte
		lives  time.Duration // 0 is not at all
	}{
		"the shortest counts":     {answered(t, dnsmessage.RCodeSuccess, 300, 100, 200), 100 * time.Second},
		"not for ever":            {answered(t, dnsmessage.RCodeSuccess, 1<<31-1), mostTime},
		"no such name":            {answered(t, dnsmessage.RCodeNameError), time.Minute},
		"nothing of this type":    {answered(t, dnsmessage.RCodeSuccess), time.Minute},
		"a failure":               {answered(t, dnsmessage.RCodeServerFailure, 100), 0},
		"a name that is for once": {answered(t, dnsmessage.RCodeSuccess, 0), 0},
		"no packet":               {[]byte("no packet"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			cache := cache{most: 10}
			cache.put(key, c.answer, start)
			if c.lives == 0 {
				require.Nil(t, cache.get(q, key, start))
				return
			}
			require.NotNil(t, cache.get(q, key, start.Add(c.lives-1)))
			require.Nil(t, cache.get(q, key, start.Add(c.lives)))
			require.Empty(t, cache.entries)
		})
	}
	cache := cache{most: 10}
	cache.put(key, answered(t, dnsmessage.RCodeSuccess, 300), start)
	q.header.ID = 99
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(cache.get(q, key, start.Add(100*time.Second))))
	require.Equal(t, uint16(99), m.ID)
	require.Equal(t, uint32(200), m.Answers[0].Header.TTL, "it has become older")
	require.NoError(t, m.Unpack(cache.get(q, key, start)))
	require.Equal(t, uint32(300), m.Answers[0].Header.TTL, "what is remembered does not change")
	require.Nil(t, cache.get(q, cacheKey{name: key.name, kind: key.kind, proof: true}, start), "with a proof it is another question")
	for k := range 30 {
		cache.put(cacheKey{name: strings.Repeat("x", k%60) + ".", kind: dnsmessage.Type(k)}, answered(t, dnsmessage.RCodeSuccess, 300), start)
	}
	require.Len(t, cache.entries, 10)
	cache.limit(0)
	require.Empty(t, cache.entries)
	cache.put(key, answered(t, dnsmessage.RCodeSuccess, 300), start)
	require.Empty(t, cache.entries)
}

func TestNameServers(t *testing.T) {
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53")},
		nameServers([]byte("# nameserver 192.0.2.7\nnameserver 192.0.2.1\nsearch example\nnameserver  fe80::1%eth0 # mine\nnameserver\nnameserver x\n")))
}

func TestFrames(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, writeFrame(&b, []byte("hello")))
	require.Error(t, writeFrame(&b, make([]byte, 1<<16)))
	got, err := readFrame(&b)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	_, err = readFrame(strings.NewReader("\x00\x09short"))
	require.Error(t, err)
}

// FuzzDNS reads any packet as a question, and as the answer to one. What is read is answered.
func FuzzDNS(f *testing.F) {
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01"))
	s := office()
	f.Fuzz(func(t *testing.T, packet []byte) {
		n := newNames(s, &dnsDirectives{})
		c := cache{most: 1}
		c.put(cacheKey{}, packet, start)
		answers(packet, question{header: dnsmessage.Header{ID: 7}, Question: dnsmessage.Question{Name: dnsmessage.MustNewName("www.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}})
		q, ok := readQuestion(packet)
		if !ok {
			return
		}
		code, found, _, _ := n.decide(q, true)
		answer, err := q.reply(code, found, q.size)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) > q.size {
			t.Fatalf("an answer of %d bytes for a client that takes %d", len(answer), q.size)
		}
		_ = q.key()
	})
}
