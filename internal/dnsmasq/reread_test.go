// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestReread wants the configuration to say where hosts and names are, and not to depend on them.
func TestReread(t *testing.T) {
	s, _, _ := readCase(t, "testdata/config/hosts-only.txt")
	s.DNS.Hosts = []host.NameRecord{{Addr: s.Subnets[0].Prefix.Addr(), Names: []string{"gw", "gw.example"}}}
	files := dnsmasq.Files{Hosts: "/run/x y/hosts", Names: "/run/x y/names"}
	conf, err := dnsmasq.Config(&s, files)
	require.NoError(t, err)
	require.Contains(t, string(conf), "\ndhcp-hostsfile=\"/run/x y/hosts\"\n")
	require.Contains(t, string(conf), "\naddn-hosts=\"/run/x y/names\"\n")
	require.NotContains(t, string(conf), "dhcp-host=")
	require.NotContains(t, string(conf), "host-record=")
	testSyntax(t, conf)

	hosts, names, err := dnsmasq.Reread(&s)
	require.NoError(t, err)
	whole, err := dnsmasq.Config(&s, dnsmasq.Files{})
	require.NoError(t, err)
	for line := range strings.Lines(string(hosts)) {
		require.Contains(t, string(whole), "\ndhcp-host="+line)
	}
	require.Equal(t, strings.Count(string(whole), "dhcp-host="), strings.Count(string(hosts), "\n"))
	require.True(t, strings.HasPrefix(string(names), "10.7.0.1 gw\n10.7.0.1 gw.example\n10.7.0.6 two\n"), "%s", names)

	more := s
	more.DNS = &host.DNS{}
	more.Subnets = append([]host.Subnet(nil), s.Subnets...)
	more.Subnets[0].Hosts = more.Subnets[0].Hosts[1:]
	same, err := dnsmasq.Config(&more, files)
	require.NoError(t, err)
	require.Equal(t, string(conf), string(same))

	more.Subnets[0].Hosts = []host.StaticHost{{Name: "a b", Addr: s.Subnets[0].Prefix.Addr()}}
	_, _, err = dnsmasq.Reread(&more)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = dnsmasq.Config(&more, files)
	require.ErrorIs(t, err, fs.ErrInvalid)
}
