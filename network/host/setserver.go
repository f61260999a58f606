// SPDX-License-Identifier: Apache-2.0

package host

import "fmt"

// SetServer makes a server that runs go on with another configuration, and with all leases that it has given out. If only static
// hosts and names of addresses change, and the server can read them from files, it reads those again (kill -HUP PID) and answers
// meanwhile. Otherwise dnsmasq is ended and started again with dnsmasq --conf-file=NAME.conf, once the new configuration has been
// tried: guests keep their addresses, and questions that are asked in the milliseconds between are asked again. Was is what it
// replaces; both have the same name.
// No server of that name, and a link that is missing, is fs.ErrNotExist. If the new server does not start, the old one
// runs again.
type SetServer struct {
	Server Server
	Was    Server
}

// Check refuses what Serve refuses, and servers of two names.
func (o SetServer) Check() error {
	if o.Server.Name != o.Was.Name {
		return invalid("server %s in place of server %s", o.Server.Name, o.Was.Name)
	}
	return firstError(Serve{Server: o.Server}.Check(), Serve{Server: o.Was}.Check())
}

// Inverse goes back to the old configuration.
func (o SetServer) Inverse() Op { return SetServer{Server: o.Was, Was: o.Server} }

// Scope is the server.
func (o SetServer) Scope() Scope { return Scope{Servers: []string{o.Server.Name}} }

// Holds if a server of that name runs with this configuration.
func (o SetServer) Holds(f *Facts) bool { return Serve{Server: o.Server}.Holds(f) }

func (o SetServer) String() string {
	return fmt.Sprintf("serve again %s (was %s)", o.Server, o.Was)
}
