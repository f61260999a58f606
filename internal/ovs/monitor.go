// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"slices"
	"time"
)

// A Monitor is told by the database what changes of ports. It is used by one goroutine.
type Monitor struct {
	conn *conn
	fd   int
	// names are those of the ports, by their rows.
	names map[uuid]string
	// changed are the ports that have changed and were not told yet.
	changed map[string]bool
}

// Monitor begins to watch. Close ends it.
func (c Client) Monitor(ctx context.Context) (*Monitor, error) {
	// The context is that of the question, and not of what is told later.
	conn, err := dial(context.WithoutCancel(ctx), c.Path)
	if err != nil {
		return nil, err
	}
	m := &Monitor{conn: conn, names: map[uuid]string{}, changed: map[string]bool{}}
	var first map[string]map[uuid]rowChange
	if err = m.findFD(); err == nil {
		err = conn.call(ctx, patience, "monitor", []any{database, nil, monitored}, &first)
	}
	if err != nil {
		conn.close()
		return nil, err
	}
	m.note(first)
	clear(m.changed)
	conn.updates = m.hear
	return m, nil
}

// hear takes what the database tells.
func (m *Monitor) hear(params json.RawMessage) error {
	var told [2]json.RawMessage
	var tables map[string]map[uuid]rowChange
	if err := json.Unmarshal(params, &told); err != nil {
		return err
	}
	if err := json.Unmarshal(told[1], &tables); err != nil {
		return err
	}
	m.note(tables)
	return nil
}

// monitored are the columns that make a port.
var monitored = map[string]any{
	"Bridge":    map[string]any{"columns": []string{"ports"}},
	"Port":      map[string]any{"columns": []string{"name", "tag", "trunks", "vlan_mode", "qos", "external_ids"}},
	"Interface": map[string]any{"columns": []string{"name", "external_ids", "ingress_policing_rate", "ingress_policing_burst"}},
	"QoS":       map[string]any{"columns": []string{"type", "other_config", "queues", "external_ids"}},
	"Queue":     map[string]any{"columns": []string{"other_config", "external_ids"}},
}

// A rowChange is a row as it was, of which only what changed is told, and as it is. Nil is a row that was not, or is no more.
type rowChange struct {
	Old, New *struct {
		Name        string               `json:"name"`
		Ports       set[uuid]            `json:"ports"`
		ExternalIDs dict[string, string] `json:"external_ids"`
	}
}

// note finds out which ports have changed.
func (m *Monitor) note(tables map[string]map[uuid]rowChange) {
	for row, c := range tables["Port"] {
		if c.New != nil {
			m.names[row] = c.New.Name
		}
		m.changed[m.names[row]] = true
	}
	for _, c := range tables["Bridge"] {
		var was, is set[uuid]
		if c.Old != nil {
			was = c.Old.Ports
		}
		if c.New != nil {
			is = c.New.Ports
		}
		for _, row := range slices.Concat(was, is) {
			if slices.Contains(was, row) != slices.Contains(is, row) {
				m.changed[m.names[row]] = true
			}
		}
	}
	for row, c := range tables["Port"] {
		if c.New == nil {
			delete(m.names, row)
		}
	}
	for _, c := range tables["Interface"] {
		if c.New != nil {
			m.changed[c.New.Name] = true
		}
	}
	for _, c := range slices.AppendSeq(slices.Collect(maps.Values(tables["QoS"])), maps.Values(tables["Queue"])) {
		if c.New != nil {
			m.changed[c.New.ExternalIDs[linkKey]] = true
		}
	}
}

func (m *Monitor) findFD() error {
	raw, err := m.conn.socket.(*net.UnixConn).SyscallConn() //nolint:forcetypeassert // it was dialed as one
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { m.fd = int(fd) })
}

// FD is a descriptor that can be read when there is something to tell. It stays the Monitor's.
func (m *Monitor) FD() int { return m.fd }

// Read tells which ports have changed, once it can be read; the empty name is one that is not known. An error is the end of
// the database, or of the conversation with it.
func (m *Monitor) Read(tell func(port string)) error {
	if err := m.conn.socket.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for more := true; more; {
		if _, err := m.conn.receive(); err != nil {
			return err
		}
		rest, ok := m.conn.in.Buffered().(interface{ Len() int })
		more = ok && rest.Len() > 0
	}
	for _, port := range slices.Sorted(maps.Keys(m.changed)) {
		tell(port)
	}
	clear(m.changed)
	return nil
}

// Close ends the conversation.
func (m *Monitor) Close() { m.conn.close() }
