// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// serve plays a database that says something to whoever has asked.
func serve(t *testing.T, say func(request message, conn net.Conn)) Client {
	t.Helper()
	folder, err := os.MkdirTemp("", "ovs") // the names of sockets are short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	c := Client{Path: filepath.Join(folder, "db.sock")}
	listener, err := net.Listen("unix", c.Path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := json.NewDecoder(conn)
				for {
					var m message
					if in.Decode(&m) != nil {
						return
					}
					say(m, conn)
				}
			}()
		}
	}()
	return c
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		says string // with ID for the number of the request
		want string // the error, or the bridges
	}{
		"rows":                     {`{"id":ID,"error":null,"result":[{"rows":[{"name":"a"},{"name":"b"}]}]}`, "a b"},
		"one of others first":      {`{"id":99,"error":null,"result":[]}{"id":ID,"error":null,"result":[{"rows":[]}]}`, ""},
		"unasked first":            {`{"id":null,"method":"update","params":[null,{}]}{"id":ID,"error":null,"result":[{"rows":[]}]}`, ""},
		"a refusal":                {`{"id":ID,"error":null,"result":[{"error":"constraint violation","details":"no"}]}`, "constraint violation: no"},
		"a refusal of the whole":   {`{"id":ID,"error":null,"result":[{"rows":[]},{"error":"aborted","details":"x"}]}`, "aborted: x"},
		"an error":                 {`{"id":ID,"error":{"error":"unknown database"},"result":null}`, `transact: {"error":"unknown database"}`},
		"rows of something else":   {`{"id":ID,"error":null,"result":[{"rows":7}]}`, "cannot unmarshal number"},
		"no rows at all":           {`{"id":ID,"error":null,"result":7}`, "cannot unmarshal number"},
		"nonsense":                 {`HTTP/1.1 400 Bad Request`, "invalid character 'H'"},
		"the end in the middle":    {`{"id":ID,"err`, "unexpected EOF"},
		"nothing before the end":   {``, "EOF"},
		"the end after the answer": {`{"id":ID,"error":null,"result":[{"rows":[]}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(m message, conn net.Conn) {
				_, _ = io.WriteString(conn, strings.ReplaceAll(c.says, "ID", string(m.ID)))
				_ = conn.Close()
			})
			bridges, err := client.Bridges(t.Context())
			if err != nil {
				require.ErrorContains(t, err, "Open vSwitch at "+client.Path)
				require.ErrorContains(t, err, c.want)
				return
			}
			require.Equal(t, c.want, strings.Join(bridges, " "))
		})
	}
}

// TestEcho answers a database that wants to know whether anybody is there, before it answers.
func TestEcho(t *testing.T) {
	var asked message
	client := serve(t, func(m message, conn net.Conn) {
		if m.Method == "transact" {
			asked = m
			_, _ = io.WriteString(conn, `{"id":"echo","method":"echo","params":["still","there"]}`)
			return
		}
		if string(m.ID) == `"echo"` && string(m.Result) == `["still","there"]` {
			_, _ = io.WriteString(conn, `{"id":`+string(asked.ID)+`,"error":null,"result":[{"rows":[{"name":"a"}]}]}`)
		}
	})
	bridges, err := client.Bridges(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, bridges)
}

func TestNobodyAnswers(t *testing.T) {
	silent := serve(t, func(message, net.Conn) {})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := silent.Bridges(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	if !testing.Short() {
		_, err = silent.Bridges(t.Context())
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.ErrorContains(t, err, silent.Path)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{"", file, file + "/db.sock", file + "2"} {
		_, err := Client{Path: path}.AllPorts(t.Context())
		require.ErrorIs(t, err, errors.ErrUnsupported, path)
		require.NotErrorIs(t, err, fs.ErrNotExist, path)
		require.ErrorContains(t, err, path)
	}
}

// TestTransactions are what is sent for a port with everything, and for its changes.
func TestTransactions(t *testing.T) {
	p := host.OVSPort{
		Link: "tap0", Bridge: "ovs0", Owner: "guest", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, InterfaceID: "id", GuestID: "vm", Profile: "red",
		VLAN:   host.OVSVLAN{Mode: host.NativeTagged, Tag: 10, Trunks: []uint16{10, 20}},
		Egress: host.NewLimit(1000, 2000, 100), Ingress: host.NewLimit(8, 0, 4),
	}
	plain := host.OVSPort{Link: "tap0", Bridge: "ovs1", Owner: "guest", MAC: p.MAC}
	var text strings.Builder
	for _, c := range []struct {
		name       string
		operations []operation
	}{
		{"add", addition(p)}, {"add plain", addition(plain)}, {"change to plain", change("row", plain, p)},
		{"change of nothing", change("row", p, p)}, {"remove", removal("row", "guest")},
	} {
		text.WriteString("== " + c.name + "\n")
		for _, o := range c.operations {
			line, err := json.Marshal(o)
			require.NoError(t, err)
			text.Write(append(line, '\n'))
		}
	}
	want, err := os.ReadFile("testdata/transactions.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), text.String())
}

// TestForeignRows reads ports that somebody else has made.
func TestForeignRows(t *testing.T) {
	q, z := uuid("q"), uuid("z")
	limit := host.NewLimit(1000, 2000, 100)
	for name, c := range map[string]struct {
		pic  picture
		want host.OVSPort
	}{
		"a tag alone":        {picture{ports: []portRow{{Tag: set[uint16]{7}}}}, host.OVSPort{VLAN: host.OVSVLAN{Mode: host.Access, Tag: 7}}},
		"trunks alone":       {picture{ports: []portRow{{Trunks: set[uint16]{9, 7}}}}, host.OVSPort{VLAN: host.OVSVLAN{Mode: host.Trunk, Trunks: []uint16{7, 9}}}},
		"an unknown address": {picture{ports: []portRow{{}}, interfaces: []interfaceRow{{ExternalIDs: dict[string, string]{macKey: "x"}}}}, host.OVSPort{}},
		"an odd rate": {picture{ports: []portRow{{}}, interfaces: []interfaceRow{{Rate: 9, Burst: 8}}}, host.OVSPort{
			Ingress: host.Limit{Rate: 1, Ceil: 1, Burst: 1}, Other: "ingress_policing_rate=9 ingress_policing_burst=8",
		}},
		"our queue": {picture{
			ports: []portRow{{QoS: set[uuid]{q}}}, qos: []qosRow{{UUID: q, Type: htb, OtherConfig: qosConfig(limit), Queues: dict[int, uuid]{0: z}}},
			queues: []queueRow{{UUID: z, OtherConfig: queueConfig(limit)}},
		}, host.OVSPort{Egress: limit}},
		"a queue that is gone": {picture{
			ports: []portRow{{QoS: set[uuid]{q}}}, qos: []qosRow{{UUID: q, Type: htb, OtherConfig: qosConfig(limit), Queues: dict[int, uuid]{0: z}}},
		}, host.OVSPort{Other: "qos linux-htb map[max-rate:16000000]"}},
		"another type":       {picture{ports: []portRow{{QoS: set[uuid]{q}}}, qos: []qosRow{{UUID: q, Type: "linux-sfq"}}}, host.OVSPort{Other: "qos linux-sfq map[]"}},
		"a limit of another": {picture{ports: []portRow{{QoS: set[uuid]{q}}}}, host.OVSPort{Other: "qos q"}},
	} {
		got := c.pic.port(&c.pic.ports[0], "")
		require.True(t, c.want.Equal(got), "%s: %s", name, got)
	}
}

// TestNotes finds out which ports changes are about.
func TestNotes(t *testing.T) {
	m := &Monitor{names: map[uuid]string{}, changed: map[string]bool{}}
	for _, c := range []struct {
		told string
		want map[string]bool
	}{
		{`{"Port":{"p1":{"new":{"name":"tap0"}},"p2":{"new":{"name":"tap1"}}}}`, map[string]bool{"tap0": true, "tap1": true}},
		{`{"Bridge":{"b":{"old":{"ports":["uuid","p1"]},"new":{"ports":["set",[["uuid","p1"],["uuid","p2"]]]}}}}`, map[string]bool{"tap1": true}},
		{`{"Bridge":{"b":{"old":{"ports":["set",[["uuid","p1"],["uuid","p2"]]]},"new":{"ports":["uuid","p2"]}}},"Port":{"p1":{"old":{"name":"tap0"}}}}`,
			map[string]bool{"tap0": true}},
		{`{"QoS":{"q":{"old":{},"new":{"external_ids":["map",[["ifname","tap7"]]]}}},"Queue":{"z":{"old":{}}}}`, map[string]bool{"tap7": true}},
		{`{"Interface":{"i":{"old":{},"new":{"name":"tap1"}}}}`, map[string]bool{"tap1": true}},
		{`{"QoS":{"q":{"old":{},"new":{"external_ids":["map",[]]}}}}`, map[string]bool{"": true}},
	} {
		var tables map[string]map[uuid]rowChange
		require.NoError(t, json.Unmarshal([]byte(c.told), &tables))
		m.note(tables)
		require.Equal(t, c.want, m.changed, c.told)
		clear(m.changed)
	}
	require.Equal(t, map[uuid]string{"p2": "tap1"}, m.names)
}
