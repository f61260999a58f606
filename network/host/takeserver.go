// SPDX-License-Identifier: Apache-2.0

package host

import "strings"

// TakeServer puts a server in the place of libvirt's dnsmasq of a network, and returns when it answers:
//
//	kill $(cat /run/libvirt/network/NETWORK.pid)
//	dnsmasq --conf-file=SERVER.conf
//
// It goes on with all leases that the old one has given out, which it reads when that has ended; guests keep their
// addresses, and what they ask in the milliseconds between they ask again. The new configuration is tried before. If the new
// server does not start, the old one is started again.
//
// Was is libvirt's server; one without a Command does not run, and only its leases are taken. A daemon of libvirt that runs,
// and would start the old one again, is fs.ErrPermission; a server of libvirt that is not the one of Was, or a link that is
// missing, is fs.ErrNotExist; a server of ours that runs already is fs.ErrExist.
type TakeServer struct {
	Server Server
	Was    LibvirtServer
}

// ReturnServer ends a server that TakeServer with the same fields started, and starts libvirt's again, with the leases that
// were given out meanwhile.
type ReturnServer TakeServer

// Check refuses what Serve refuses, and servers of two links.
func (o TakeServer) Check() error {
	if o.Was.Link != o.Server.Link {
		return invalid("server on %s in place of one on %s", o.Server.Link, o.Was.Link)
	}
	for _, word := range o.Was.Command {
		if strings.ContainsRune(word, 0) {
			return invalid("command %q", o.Was.Command)
		}
	}
	return firstError(Serve{Server: o.Server}.Check(), checkFile(o.Was.Network))
}

// Inverse starts libvirt's server again.
func (o TakeServer) Inverse() Op { return ReturnServer(o) }

// Scope is the server, and what libvirt keeps.
func (o TakeServer) Scope() Scope { return Scope{Servers: []string{o.Server.Name}, Libvirt: true} }

// Holds if our server runs, and libvirt's does not.
func (o TakeServer) Holds(f *Facts) bool {
	return Serve{Server: o.Server}.Holds(f) && f.Libvirt.Server(o.Was.Network) == nil
}

func (o TakeServer) String() string {
	return "serve " + o.Server.String() + " (was libvirt's of " + o.Was.Network + ")"
}

// Check is that of TakeServer.
func (o ReturnServer) Check() error { return TakeServer(o).Check() }

// Inverse takes its place again.
func (o ReturnServer) Inverse() Op { return TakeServer(o) }

// Scope is that of TakeServer.
func (o ReturnServer) Scope() Scope { return TakeServer(o).Scope() }

// Holds if our server does not run, and libvirt's does if it did.
func (o ReturnServer) Holds(f *Facts) bool {
	theirs := f.Libvirt.Server(o.Was.Network)
	return f.Server(o.Server.Name) == nil && (theirs != nil || len(o.Was.Command) == 0)
}

func (o ReturnServer) String() string {
	return "end server " + o.Server.Name + " on " + o.Server.Link + ", for libvirt's of " + o.Was.Network
}
