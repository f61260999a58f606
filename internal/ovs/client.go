// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"

	"github.com/go-virtnet/virtnet/network/host"
)

// A Client works on the Open vSwitch whose database listens at Path. It may be used by many goroutines. Where nobody listens,
// everything wraps errors.ErrUnsupported; a database that does not answer for five seconds wraps os.ErrDeadlineExceeded.
type Client struct {
	// Path is the file of a Unix socket.
	Path string
}

// Bridges returns the names of the bridges.
func (c Client) Bridges(ctx context.Context) ([]string, error) {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	var rows []struct {
		Name string `json:"name"`
	}
	if err := conn.transact(ctx, []operation{find("Bridge", everywhere, "name")}, &rows); err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names, nil
}

// Ports returns the ports of these names, as far as there are any, and AllPorts all but those that bridges have for
// themselves.
func (c Client) Ports(ctx context.Context, names ...string) ([]host.OVSPort, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return c.ports(ctx, names)
}

// AllPorts is Ports of all names.
func (c Client) AllPorts(ctx context.Context) ([]host.OVSPort, error) { return c.ports(ctx, nil) }

func (c Client) ports(ctx context.Context, names []string) ([]host.OVSPort, error) {
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	return conn.look(ctx, names)
}

// look reads ports, and then the bridges they are on. Nil is all ports.
func (c *conn) look(ctx context.Context, names []string) ([]host.OVSPort, error) {
	var pic picture
	if names == nil {
		if err := c.read(ctx, &pic, everywhere, everywhere); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		var one picture
		if err := c.read(ctx, &one, where("name", "==", name), where("external_ids", "includes", dict[string, string]{linkKey: name})); err != nil {
			return nil, err
		}
		pic.ports = append(pic.ports, one.ports...)
		pic.interfaces = append(pic.interfaces, one.interfaces...)
		pic.qos = append(pic.qos, one.qos...)
		pic.queues = append(pic.queues, one.queues...)
	}
	bridges, err := c.bridgesOf(ctx, pic.ports)
	if err != nil {
		return nil, err
	}
	var ports []host.OVSPort
	for i := range pic.ports {
		if bridge := bridges[i]; bridge != "" && bridge != pic.ports[i].Name {
			ports = append(ports, pic.port(&pic.ports[i], bridge))
		}
	}
	return ports, nil
}

// read reads the rows of ports and what belongs to them.
func (c *conn) read(ctx context.Context, pic *picture, named, belonging []condition) error {
	return c.transact(ctx, []operation{
		find("Port", named, portColumns...), find("Interface", named, interfaceColumns...),
		find("QoS", belonging, qosColumns...), find("Queue", belonging, queueColumns...),
	}, &pic.ports, &pic.interfaces, &pic.qos, &pic.queues)
}

// bridgesOf finds the bridge of each port; one that was removed meanwhile has none.
func (c *conn) bridgesOf(ctx context.Context, ports []portRow) ([]string, error) {
	if len(ports) == 0 {
		return nil, nil
	}
	type bridge []struct {
		Name string `json:"name"`
	}
	var operations []operation
	found := make([]bridge, len(ports))
	var results []any
	for i := range ports {
		operations = append(operations, find("Bridge", where("ports", "includes", ports[i].UUID), "name"))
		results = append(results, &found[i])
	}
	if err := c.transact(ctx, operations, results...); err != nil {
		return nil, err
	}
	names := make([]string, len(ports))
	for i, b := range found {
		if len(b) > 0 {
			names[i] = b[0].Name
		}
	}
	return names, nil
}
