// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-virtnet/virtnet/network/host"
)

// ParseLeases reads a lease file. Lines are
//
//	EXPIRY MAC IPV4 HOSTNAME|* CLIENT-ID|*
//	duid SERVER-DUID
//	EXPIRY [T]IAID IPV6 HOSTNAME|* DUID|*
//
// where EXPIRY is in seconds since 1970, and 0 is never. A line that is none of these is left out and named in the
// error, which wraps fs.ErrInvalid; the leases of the others are returned all the same, in the order of their addresses.
// A last line without its end is one that is being written, and is left out.
func ParseLeases(data []byte) ([]host.Lease, error) {
	var leases []host.Lease
	var errs []error
	for number := 1; ; number++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			break
		}
		data = rest
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0] == "duid" {
			continue
		}
		lease, err := parseLease(fields)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		leases = append(leases, lease)
	}
	sortLeases(leases)
	return leases, errors.Join(errs...)
}

func sortLeases(leases []host.Lease) {
	slices.SortStableFunc(leases, func(a, b host.Lease) int { return a.Addr.Compare(b.Addr) })
}

func parseLease(fields []string) (host.Lease, error) {
	var lease host.Lease
	if len(fields) != 5 {
		return lease, invalid("%d fields, a lease has 5", len(fields))
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || seconds < 0 || seconds > maxExpiry {
		return lease, invalid("time %q", fields[0])
	}
	if seconds != 0 {
		lease.Expires = time.Unix(seconds, 0).UTC()
	}
	if lease.Addr, err = netip.ParseAddr(fields[2]); err != nil || lease.Addr.Is4In6() || lease.Addr.Zone() != "" {
		return lease, invalid("address %q", fields[2])
	}
	if fields[3] != "*" {
		lease.Hostname = fields[3]
	}
	if fields[4] != "*" {
		lease.ClientID = strings.ToLower(fields[4])
	}
	if lease.Addr.Is4() {
		// Another kind of hardware has its number before the address, and is no Ethernet.
		if len(fields[1]) == 17 {
			err = lease.MAC.UnmarshalText([]byte(fields[1]))
		}
	} else {
		var id string
		var iaid uint64
		id, lease.Temporary = strings.CutPrefix(fields[1], "T")
		iaid, err = strconv.ParseUint(id, 10, 32)
		lease.IAID = uint32(iaid)
	}
	if err != nil {
		return lease, invalid("identity %q", fields[1])
	}
	return lease, checkLease(&lease)
}

// maxExpiry is the last second that times are written with four digits of the year in.
const maxExpiry = 253402300799

// checkLease refuses what would not come back from a lease file as it was.
func checkLease(l *host.Lease) error {
	if !l.Addr.IsValid() || l.Addr.Is4In6() || l.Addr.Zone() != "" {
		return invalid("lease of %q", l.Addr)
	}
	if err := checkText(l.Hostname); err != nil {
		return err
	}
	if l.Hostname == "*" || len(l.Hostname) > 255 || strings.ContainsFunc(l.Hostname, unicode.IsSpace) {
		return invalid("lease of %s: host name %q", l.Addr, l.Hostname)
	}
	if l.ClientID == "" {
		return nil
	}
	parts := strings.Split(l.ClientID, ":")
	if len(parts) > 255 || slices.ContainsFunc(parts, func(s string) bool {
		return len(s) != 2 || strings.Trim(s, "0123456789abcdef") != ""
	}) {
		return invalid("lease of %s: client identifier %q", l.Addr, l.ClientID)
	}
	return nil
}

// FormatLeases is the lease file of a server that is to know these leases. The server's own DUID is made from its
// name, so that guests recognise it when it is started again somewhere else. A lease that cannot be written wraps
// fs.ErrInvalid.
func FormatLeases(server string, leases []host.Lease) ([]byte, error) {
	leases = slices.Clone(leases)
	sortLeases(leases)
	var v4, v6 bytes.Buffer
	for _, l := range leases {
		l.ClientID = strings.ToLower(l.ClientID)
		if err := checkLease(&l); err != nil {
			return nil, err
		}
		var expiry int64
		if !l.Expires.IsZero() {
			expiry = min(max(l.Expires.Unix(), 1), maxExpiry)
		}
		file, identity := &v4, l.MAC.String()
		if l.MAC.IsZero() {
			identity = "00-"
		}
		if l.Addr.Is6() {
			file, identity = &v6, strconv.FormatUint(uint64(l.IAID), 10)
			if l.Temporary {
				identity = "T" + identity
			}
		}
		fmt.Fprintf(file, "%d %s %s %s %s\n", expiry, identity, l.Addr, orStar(l.Hostname), orStar(l.ClientID))
	}
	fmt.Fprintf(&v4, "duid %s\n", serverDUID(server))
	return append(v4.Bytes(), v6.Bytes()...), nil
}

func orStar(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

// serverDUID is a DUID of type 4 (RFC 6355): the name if that is a UUID, and a digest of it otherwise.
func serverDUID(name string) string {
	id, err := hex.DecodeString(strings.ReplaceAll(name, "-", ""))
	if err != nil || len(id) != 16 {
		sum := sha256.Sum256([]byte(name))
		id = sum[:16]
	}
	return strings.ReplaceAll(fmt.Sprintf("% x", append([]byte{0, 4}, id...)), " ", ":")
}

// Usable is the part of leases that the server can go on with: not yet expired at that time, within its ranges or of
// its hosts, and not in the way of a host that now has the address for itself. There are never more than the
// configuration allows, which dnsmasq would refuse to start with. Of several leases of one address the last counts.
func Usable(s *host.Server, leases []host.Lease, now time.Time) []host.Lease {
	last := map[netip.Addr]int{}
	for i, l := range leases {
		last[l.Addr] = i
	}
	var usable []host.Lease
	for i, l := range leases {
		if last[l.Addr] == i && (l.Expires.IsZero() || l.Expires.After(now)) && serves(s, &l) {
			usable = append(usable, l)
		}
	}
	sortLeases(usable)
	if most := s.MaxLeases; most != 0 {
		if most < 0 {
			most = 1000 // what dnsmasq allows by itself
		}
		usable = usable[:min(most, len(usable))]
	}
	return usable
}

func serves(s *host.Server, l *host.Lease) bool {
	inRange := false
	for _, subnet := range s.Subnets {
		for _, h := range subnet.Hosts {
			if h.Addr == l.Addr {
				return h.MAC.IsZero() || l.MAC.IsZero() || h.MAC == l.MAC
			}
		}
		for _, r := range subnet.Ranges {
			if r.Start.Compare(l.Addr) <= 0 && l.Addr.Compare(r.End) <= 0 {
				inRange = true
			}
		}
	}
	return inRange
}
