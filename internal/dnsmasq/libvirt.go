// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// A libvirtLease is one lease in the file in which libvirt keeps those of a bridge, /var/lib/libvirt/dnsmasq/LINK.status.
type libvirtLease struct {
	Addr       netip.Addr `json:"ip-address"`
	MAC        string     `json:"mac-address,omitempty"`
	Hostname   string     `json:"hostname,omitempty"`
	ClientID   string     `json:"client-id,omitempty"`
	ServerDUID string     `json:"server-duid,omitempty"`
	IAID       string     `json:"iaid,omitempty"`
	Expires    int64      `json:"expiry-time"` // in seconds since 1970; 0 is never
}

// ParseLibvirtLeases reads the leases of one of libvirt's bridges. One that is none is left out and named in the error, which
// wraps fs.ErrInvalid; the others are returned all the same, in the order of their addresses. An empty file has none.
func ParseLibvirtLeases(data []byte) ([]host.Lease, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, invalid("libvirt's leases: %v", err)
	}
	var leases []host.Lease
	var errs []error
	for i, text := range all {
		lease, err := parseLibvirtLease(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("libvirt's lease %d: %w", i+1, err))
			continue
		}
		leases = append(leases, lease)
	}
	sortLeases(leases)
	return leases, errors.Join(errs...)
}

// parseLibvirtLease reads one as a line of dnsmasq's own file, which has the same parts.
func parseLibvirtLease(text []byte) (host.Lease, error) {
	var l libvirtLease
	if err := json.Unmarshal(text, &l); err != nil {
		return host.Lease{}, invalid("%v", err)
	}
	identity := l.MAC
	if l.Addr.Is6() {
		identity = l.IAID
	}
	return parseLease([]string{fmt.Sprint(l.Expires), identity, l.Addr.String(), orStar(l.Hostname), orStar(l.ClientID)})
}

// FormatLibvirtLeases is the file in which libvirt finds these leases.
func FormatLibvirtLeases(server string, leases []host.Lease) ([]byte, error) {
	all := []libvirtLease{}
	for _, l := range leases {
		one := libvirtLease{Addr: l.Addr, Hostname: l.Hostname, ClientID: strings.ToLower(l.ClientID)}
		if !l.MAC.IsZero() {
			one.MAC = l.MAC.String()
		}
		if !l.Expires.IsZero() {
			one.Expires = l.Expires.Unix()
		}
		if l.Addr.Is6() {
			one.ServerDUID, one.IAID = serverDUID(server), fmt.Sprint(l.IAID)
			if l.Temporary {
				one.IAID = "T" + one.IAID
			}
		}
		if err := checkLease(&l); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	return append(text, '\n'), err
}

// LibvirtLink is the bridge that a configuration which libvirt wrote is for; empty if it names none.
func LibvirtLink(conf []byte) string {
	for line := range strings.Lines(string(conf)) {
		if link, ok := strings.CutPrefix(strings.TrimSpace(line), "interface="); ok {
			return link
		}
	}
	return ""
}
