// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planWith reads a network in Compat mode, so that it may say what libvirt lets it say, and plans it with rules on a host
// that has nothing.
func planWith(t *testing.T, rules schema.Rules, content string) (*host.Server, error) {
	t.Helper()
	n, err := network.Reader{Compat: true}.Parse(strings.NewReader("<network><name>n</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid>" +
		"<bridge name='b0'/><mac address='52:54:00:00:00:01'/>" + content + "</network>"))
	require.NoError(t, err)
	plan, err := network.PlanAs(rules, n, &host.Facts{}, nil)
	if err != nil {
		return nil, err
	}
	for _, step := range plan {
		if serve, ok := step.Op.(host.Serve); ok {
			return &serve.Server, serve.Check()
		}
	}
	return nil, nil
}

func onlyWithout(d schema.Deviation) schema.Rules { return schema.Rules{Allow: []schema.Deviation{d}} }

// TestServerDeviations shows each difference in what is served, without the deviation as libvirt has it.
func TestServerDeviations(t *testing.T) {
	const v4, v6 = "<ip address='10.1.1.1' prefix='24'>", "<ip family='ipv6' address='2001:db8::1' prefix='64'>"
	const dhcp6 = "<dhcp><range start='2001:db8::2' end='2001:db8::9'/></dhcp></ip>"
	hosts := v4 + "<dhcp><range start='10.1.1.2' end='10.1.1.9'/><host mac='52:54:00:00:00:02' id='01:02' name='a' ip='10.1.1.20'/></dhcp></ip>"
	dnsOff := "<dns enable='no'/>"
	for _, test := range []struct {
		name    string
		without schema.Deviation
		content string
		see     func(*host.Server) any
		want    any
		libvirt any
	}{
		{"values", network.ServerValues, v4 + "</ip>", func(s *host.Server) any { return s.Verbatim }, false, true},
		{"names", network.HostNames, hosts, func(s *host.Server) any { return s.DNS.LeasedNames }, false, true},
		{"leases", network.HostLeases, hosts, func(s *host.Server) any { return s.MaxLeases }, 0, 8},
		{"leases without a range", network.HostLeases, v4 + "<dhcp><host mac='52:54:00:00:00:02' ip='10.1.1.20'/></dhcp></ip>", func(s *host.Server) any { return s.MaxLeases }, 0, -1},
		{"id", network.HostID, hosts, func(s *host.Server) any { return s.Subnets[0].Hosts[0].DUID }, "01:02", ""},
		{
			"long lease", network.LongLease, v4 + "<dhcp><range start='10.1.1.2' end='10.1.1.9'><lease expiry='1193047' unit='hours'/></range></dhcp></ip>",
			func(s *host.Server) any { return s.Subnets[0].Ranges[0].Lease }, host.LeaseTime(1193047 * time.Hour), host.LeaseTime(1904 * time.Second),
		},
		{
			"lease of all ones", network.LongLease, v4 + "<dhcp><range start='10.1.1.2' end='10.1.1.9'><lease expiry='18446744073709551615' unit='seconds'/></range></dhcp></ip>",
			func(s *host.Server) any { return s.Subnets[0].Ranges[0].Lease }, host.Infinite, host.Infinite,
		},
		{"advertised beside", network.Advertised, v6 + dhcp6 + "<ip family='ipv6' address='2001:db8:1::1' prefix='64'/>", func(s *host.Server) any { return s.Subnets[1].Silent }, false, true},
		{"advertised alone", network.Advertised, dnsOff + v6 + "</ip>", func(s *host.Server) any { return s != nil }, true, false},
		{"advertised though small", network.Advertised, "<ip family='ipv6' address='2001:db8::1' prefix='120'/>", func(s *host.Server) any { return s.Subnets[0].Silent }, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, mode := range []struct {
				rules schema.Rules
				want  any
			}{{schema.Rules{}, test.want}, {onlyWithout(test.without), test.libvirt}, {schema.Rules{Compat: true}, test.libvirt}} {
				s, err := planWith(t, mode.rules, test.content)
				require.NoError(t, err)
				require.Equal(t, mode.want, test.see(s), "%+v", mode.rules)
			}
		})
	}

	for _, test := range []struct {
		name, content, says string
		kind                error
	}{
		{"two folders", "<ip address='10.1.1.1' prefix='24'><tftp root='/a'/></ip><ip address='10.1.2.1' prefix='24'><tftp root='/b'/></ip>", "/network/ip[2]/tftp/@root: ", errors.ErrUnsupported},
		{"a relative folder", "<ip address='10.1.1.1' prefix='24'><tftp root='a'/></ip>", "/network/ip[1]/tftp/@root: ", fs.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := planWith(t, schema.Rules{}, test.content)
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.says)
			for _, rules := range []schema.Rules{onlyWithout(network.OneTFTP), {Compat: true}} {
				s, err := planWith(t, rules, test.content)
				require.NoError(t, err)
				require.NotEmpty(t, s.Subnets[0].TFTPRoot)
			}
		})
	}
}
