// SPDX-License-Identifier: Apache-2.0

package linux

import "github.com/go-virtnet/virtnet/network/host"

// DefaultRunDir is where servers keep their files if [Config] names no other folder.
const DefaultRunDir = "/run/virtnet"

// DefaultOVSDB is where the database of Open vSwitch listens if [Config] names no other socket.
const DefaultOVSDB = "/var/run/openvswitch/db.sock"

// DefaultAgentPID is where lldpad writes the number of its process if [Config] names no other file.
const DefaultAgentPID = "/run/lldpad.pid"

// An Agent is who tells the switches at network cards of guests, by 802.1Qbg. A card has one at a time.
type Agent uint8

const (
	// AnyAgent is lldpad at cards where that is set up to be a station (EVB), and the backend at others. Where lldpad comes later
	// it takes over, and the guests are associated again by Heal, Repair or Open.
	AnyAgent Agent = iota
	// Lldpad is lldpad alone: without it no guest is associated. Associations go on when the program ends.
	Lldpad
	// Native is the backend itself, by the standard of 2012 and not its drafts. Where lldpad is a station too, what needs the
	// switch fails with fs.ErrExist.
	//
	// From the first guest at a card on, the backend speaks with the switch there (LLDP and VDP) in goroutines of its own, until
	// it is closed. It reminds the switch of the guests, asks it to reflect, and notices when it ends an association; no other
	// program that uses this package can then tell the switch at that card anything, which fails with fs.ErrExist. When the
	// program ends, however it does, the switch keeps the guests for a time that both have agreed on, mostly 15 seconds. A
	// backend that looks at associations within that time, as [network.Open] does, goes on with them; later it tells the
	// switch of them anew.
	Native
)

// Config says where and how a [Backend] works. The zero Config is the namespace of the process, with dnsmasq from PATH;
// programs that run as long as their guests set Engine.
type Config struct {
	// Namespace is the file of a network namespace to work in, such as /run/netns/host or /proc/123/ns/net. Empty is the
	// namespace that the process is in. A goroutine that moved its own thread elsewhere has to name one.
	Namespace string
	// RunDir is the folder for the files of running servers: it is made if missing, with mode 0711: servers that have given up root find the two
	// files there that they may read. A reboot should
	// clear it. Empty is DefaultRunDir. Backends that share a folder see each other's servers. A folder that another user than this
	// one and root could have made or changed is refused, which wraps fs.ErrPermission.
	RunDir string
	// Dnsmasq is the path of the program. Empty searches PATH and the usual places of system programs.
	Dnsmasq string
	// OVSDB is the Unix socket of the ovsdb-server of Open vSwitch, which has to work in the same network namespace. Empty is
	// DefaultOVSDB, and none if Namespace names another. Where nobody listens there is no Open vSwitch, and that is no error
	// before one is asked for.
	OVSDB string
	// SystemBus is the address of the message bus with firewalld and systemd-resolved, in the words of D-Bus: unix:path=/run/dbus/system_bus_socket.
	// Empty is that of DBUS_SYSTEM_BUS_ADDRESS or, without it, the usual one; but with a Namespace it is none: what runs on
	// the usual bus filters another one.
	SystemBus string
	// Engine answers guests in this process, as a program should that runs as long as its guests: see network/serve, whose Engine
	// this is made for. Nil starts dnsmasq, which goes on when the program has ended; it is nil without being asked for because
	// programs that do not want an engine must not have one in them. Servers of an engine end with the backend and with the
	// process, and what was open is started again by the next [network.Open]; those that the other kind serves are taken
	// over as they are changed or started, with their leases.
	Engine host.Engine
	// TieServers ends the servers when the backend is closed or this process ends, however it ends. Otherwise they go on,
	// and are found again by the next Open, as bridges and filters are.
	TieServers bool
	// Libvirt is the folder below which libvirt has its files, for networks that are taken over from it. Empty is the root of
	// the machine.
	Libvirt string
	// Agent is who tells switches of guests (802.1Qbg).
	Agent Agent
	// AgentPID is the file with the number of the process of lldpad, which tells switches of guests (802.1Qbg). Empty is
	// DefaultAgentPID. It is read each time that lldpad is needed.
	AgentPID string
}
