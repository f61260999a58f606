// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzMonitor wants of whatever a database says that it is understood or ends the conversation, and that nobody waits for more.
func FuzzMonitor(f *testing.F) {
	f.Add([]byte(`{"id":null,"method":"update","params":[null,{"Port":{"a":{"new":{"name":"tap0"}}},"Bridge":{"b":{"new":{"ports":["set",[["uuid","a"]]]}}}}]}`))
	f.Add([]byte(`{"id":"echo","method":"echo","params":[]}{"id":null,"method":"update","params":[null,{"Port":{"a":{"old":{"name":"tap0"}}}}]}`))
	f.Add([]byte(`{"id":null,"method":"update","params":[null,{"Interface":{"a":{"new":{"name":"tap0","external_ids":["map",[["a","b"]]]}}},"QoS":{"q":{"old":{}}}}]}`))
	f.Add([]byte(`{"id":null,"method":"update","params":[null]}`))
	f.Fuzz(func(t *testing.T, said []byte) {
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		defer here.Close()
		m := &Monitor{conn: &conn{socket: here, in: json.NewDecoder(bytes.NewReader(said))}, names: map[uuid]string{}, changed: map[string]bool{}}
		m.conn.updates = m.hear
		begin := time.Now()
		for {
			err := m.Read(func(port string) {
				require.LessOrEqual(t, len(port), 3*len(said), "a byte that is no text is read as three")
			})
			if err != nil {
				break
			}
		}
		require.Less(t, time.Since(begin), patience)
	})
}
