// SPDX-License-Identifier: Apache-2.0

// Package ovs works on the ports of Open vSwitch through its database, by the protocol of RFC 7047 over a Unix socket. Every
// change is one transaction, which waits for ovs-vswitchd to carry it out and takes itself back if that cannot.
//
// A client keeps nothing open: each question is a connection of its own, so that a database that is started again is no
// event. No other program is run.
package ovs
