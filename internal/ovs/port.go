// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// AddPort makes a port; see [host.AddOVSPort]. What an earlier port of the same owner left behind goes.
func (c Client) AddPort(ctx context.Context, p host.OVSPort) error {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return err
	}
	defer conn.close()
	err = conn.commit(ctx, addition(p))
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.number == 0:
		return noBridge(p.Bridge, c.Path)
	case errors.As(err, &refused) && refused.number <= 2:
		return fmt.Errorf("port %s of Open vSwitch: %w", p.Link, fs.ErrExist)
	case err != nil:
		return err
	}
	if err := conn.settle(ctx, p.Link); err != nil {
		return errors.Join(err, c.withdraw(context.WithoutCancel(ctx), p))
	}
	return nil
}

// addition is the transaction that makes a port. The first three of its operations say what is in the way.
func addition(p host.OVSPort) []operation {
	row := vlanColumns(p.VLAN)
	row["name"], row["interfaces"] = p.Link, named("link")
	row["other_config"] = dict[string, string]{"transient": "true"}
	row["external_ids"] = dict[string, string]{ownerKey: p.Owner}
	link := policing(p.Ingress)
	link["name"], link["external_ids"] = p.Link, identity(p)
	operations := []operation{expect("Bridge", p.Bridge, true), expect("Port", p.Link, false), expect("Interface", p.Link, false)}
	operations = append(operations, forget(p.Owner)...)
	if !p.Egress.IsZero() {
		operations = append(operations, queueing(p)...)
		row["qos"] = named("qos")
	}
	return append(operations,
		insert("Interface", "link", link), insert("Port", "port", row),
		mutate("Bridge", where("name", "==", p.Bridge), condition{"ports", "insert", named("port")}),
	)
}

// queueing makes the rows that limit what the switch sends by a port.
func queueing(p host.OVSPort) []operation {
	mark := dict[string, string]{ownerKey: p.Owner, linkKey: p.Link}
	return []operation{
		insert("Queue", "queue", map[string]any{"other_config": queueConfig(p.Egress), "external_ids": mark}),
		insert("QoS", "qos", map[string]any{
			"type": htb, "other_config": qosConfig(p.Egress), "queues": dict[int, named]{0: "queue"}, "external_ids": mark,
		}),
	}
}

// forget removes the rows that limit what is sent by the ports of an owner, which no port removes with itself.
func forget(owner string) []operation {
	mine := where("external_ids", "includes", dict[string, string]{ownerKey: owner})
	return []operation{remove("QoS", mine), remove("Queue", mine)}
}

// withdraw takes back a port that ovs-vswitchd does not make.
func (c Client) withdraw(ctx context.Context, p host.OVSPort) error {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return err
	}
	defer conn.close()
	ours, err := conn.ours(ctx, p)
	if err != nil {
		return err
	}
	return conn.commit(ctx, removal(ours, p.Owner))
}

func removal(ours uuid, owner string) []operation {
	port := where("ports", "includes", ours)
	return append(forget(owner), mutate("Bridge", port, condition{"ports", "delete", ours}))
}

// DelPort removes a port; see [host.DelOVSPort]. It is removed also if ovs-vswitchd does not run.
func (c Client) DelPort(ctx context.Context, p host.OVSPort) error {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return err
	}
	defer conn.close()
	ours, err := conn.ours(ctx, p)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, conn.transact(ctx, forget(p.Owner)))
	}
	if err != nil {
		return err
	}
	if err := conn.unlimit(ctx, p); err != nil {
		return err
	}
	if err := conn.commit(ctx, removal(ours, p.Owner)); err != nil {
		return err
	}
	_ = conn.applied(ctx) // so that the link is free, if anybody is there who holds it
	return nil
}

// unlimit ends the limits of a port that is to go, if it has any: it would leave its link with them, and that may go on
// elsewhere.
func (c *conn) unlimit(ctx context.Context, p host.OVSPort) error {
	var ports []portRow
	var interfaces []interfaceRow
	rows := where("name", "==", p.Link)
	err := c.transact(ctx, []operation{find("Port", rows, "qos"), find("Interface", rows, "ingress_policing_rate")}, &ports, &interfaces)
	limited := slices.ContainsFunc(ports, func(r portRow) bool { return len(r.QoS) > 0 }) ||
		slices.ContainsFunc(interfaces, func(r interfaceRow) bool { return r.Rate != 0 })
	if err != nil || !limited {
		return err
	}
	err = c.commit(ctx, append(forget(p.Owner),
		update("Port", rows, map[string]any{"qos": set[uuid]{}}), update("Interface", rows, policing(host.Limit{}))))
	if err == nil {
		_ = c.applied(ctx)
	}
	return err
}

// ours finds the row of a port by its name and our mark.
func (c *conn) ours(ctx context.Context, p host.OVSPort) (uuid, error) {
	var rows []portRow
	mine := append(where("name", "==", p.Link), where("external_ids", "includes", dict[string, string]{ownerKey: p.Owner})...)
	if err := c.transact(ctx, []operation{find("Port", mine, "_uuid")}, &rows); err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("port %s of Open vSwitch with owner %q: %w", p.Link, p.Owner, fs.ErrNotExist)
	}
	return rows[0].UUID, nil
}

// SetPort changes or moves a port; see [host.SetOVSPort]. Rows of queues that say the same already stay.
func (c Client) SetPort(ctx context.Context, p host.OVSPort) error {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return err
	}
	defer conn.close()
	ours, err := conn.ours(ctx, p)
	if err != nil {
		return err
	}
	was, err := conn.look(ctx, []string{p.Link})
	if err != nil {
		return err
	}
	if len(was) != 1 || was[0].Owner != p.Owner {
		return fmt.Errorf("port %s of Open vSwitch with owner %q: %w", p.Link, p.Owner, fs.ErrNotExist)
	}
	err = conn.commit(ctx, change(ours, p, was[0]))
	var refused *refusal
	if errors.As(err, &refused) && refused.number == 0 {
		return noBridge(p.Bridge, c.Path)
	}
	if err != nil {
		return err
	}
	if err := conn.settle(ctx, p.Link); err != nil {
		return errors.Join(err, c.restore(context.WithoutCancel(ctx), ours, was[0], p))
	}
	return nil
}

// change is the transaction that makes a port what p says, where it was another. The first of its operations looks for the
// bridge. What others have put beside our identities stays.
func change(ours uuid, p, was host.OVSPort) []operation {
	rows := where("name", "==", p.Link)
	row := vlanColumns(p.VLAN)
	operations := []operation{expect("Bridge", p.Bridge, true)}
	switch {
	case was.Other == "" && was.Egress == p.Egress:
	case p.Egress.IsZero():
		row["qos"] = set[uuid]{}
		operations = append(operations, forget(p.Owner)...)
	default:
		row["qos"] = named("qos")
		operations = append(append(operations, forget(p.Owner)...), queueing(p)...)
	}
	if was.Bridge != p.Bridge {
		operations = append(operations,
			mutate("Bridge", where("ports", "includes", ours), condition{"ports", "delete", ours}),
			mutate("Bridge", where("name", "==", p.Bridge), condition{"ports", "insert", ours}))
	}
	return append(operations,
		update("Port", rows, row), update("Interface", rows, policing(p.Ingress)),
		mutate("Interface", rows, condition{"external_ids", "delete", identityKeys}, condition{"external_ids", "insert", identity(p)}))
}

// restore makes a port again what it was before a change that ovs-vswitchd does not make.
func (c Client) restore(ctx context.Context, ours uuid, was, is host.OVSPort) error {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return err
	}
	defer conn.close()
	return conn.commit(ctx, change(ours, was, is))
}

func noBridge(name, path string) error {
	return fmt.Errorf("Open vSwitch at %s has no bridge %s: %w", path, name, fs.ErrNotExist)
}
