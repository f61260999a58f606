// SPDX-License-Identifier: Apache-2.0

// Package rtnl speaks rtnetlink: the part of the Linux kernel that makes links and gives them addresses and routes. It is
// the only package that does, and it knows neither documents nor plans.
//
// Links are read and written with messages of our own, because what is needed there (a bridge complete in its creating
// message, the flags of a bridge port, no table of virtual functions in every answer) exists in no library, and so are
// addresses, which a library takes twice as long for; routes are written with github.com/vishvananda/netlink. Three things are decided here for all callers:
//
//   - sockets are opened once, in the wanted network namespace, and block: the kernel has answered when a message is sent
//
//   - a dump that the kernel calls interrupted is asked for again, a limited number of times
//
//   - an error wraps the kernel's number and the sentinel of package io/fs it stands for; see [Error]
//
//     c, err := rtnl.Open(func(f func() error) error { return f() })
//     defer c.Close()
//     link, err := c.Link("eth0") // no dump
package rtnl
