// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

func forwardingKey(ipv6 bool) string {
	if ipv6 {
		return "net/ipv6/conf/all/forwarding"
	}
	return "net/ipv4/ip_forward"
}

// setForwarding writes only what is not so already: writing the parameter of IPv6 sets it on every link, also where
// somebody chose otherwise.
func (b *Backend) setForwarding(ipv6, on bool) error {
	key, value := forwardingKey(ipv6), "0"
	if on {
		value = "1"
	}
	return b.enter(func() error {
		now, err := readSysctl(key)
		if errors.Is(err, fs.ErrNotExist) {
			if !on {
				return nil
			}
			return fmt.Errorf("the kernel does not know %s: %w", key, errors.ErrUnsupported)
		}
		if err != nil || now == value {
			return err
		}
		return writeSysctl(key, value)
	})
}

// forwardingFacts has to be called inside the namespace.
func forwardingFacts(f *host.Facts) error {
	for _, family := range []struct {
		ipv6 bool
		on   *bool
	}{{false, &f.Forwarding.IPv4}, {true, &f.Forwarding.IPv6}} {
		value, err := readSysctl(forwardingKey(family.ipv6))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		*family.on = err == nil && value != "0"
	}
	if f.Forwarding.IPv6 {
		return nil
	}
	return blockedFacts(f)
}

// blockedFacts finds the links whose routes the kernel drops when it begins to forward IPv6.
func blockedFacts(f *host.Facts) error {
	const table = "/proc/thread-self/net/ipv6_route"
	routes, err := sysctlFile(table, unix.O_RDONLY, readToEnd)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no IPv6
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(routes)) {
		link, learned, ok := learnedRoute(line)
		if !ok {
			return fmt.Errorf("%s: line %q", table, line)
		}
		if !learned || slices.Contains(f.Forwarding.Blocked, link) {
			continue
		}
		value, err := readSysctl("net/ipv6/conf/" + link + "/accept_ra")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Routers do not listen to others unless they are told to with a 2.
		if err == nil && value != "2" {
			f.Forwarding.Blocked = append(f.Forwarding.Blocked, link)
		}
	}
	return nil
}

// learnedRoute reads a line of the IPv6 routing table: the link of a route, and whether a router advertisement made it.
func learnedRoute(line string) (link string, learned, ok bool) {
	const flagsField, linkField = 8, 9
	fields := strings.Fields(line)
	if len(fields) != linkField+1 {
		return "", false, false
	}
	flags, err := strconv.ParseUint(fields[flagsField], 16, 32)
	const fromAdvertisement, defaultRouter = 0x40000, 0x10000 // RTF_ADDRCONF, RTF_DEFAULT
	return fields[linkField], flags&(fromAdvertisement|defaultRouter) != 0, err == nil
}
