// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestForeignClients lets programs that nobody here wrote ask a server: two clients of DHCP, two of DNS, one of TFTP.
func TestForeignClients(t *testing.T) { onBoth(t, testForeignClients) }

func testForeignClients(t *testing.T, p *place) {
	root := t.TempDir()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	boot := bytes.Repeat([]byte("boot"), 5000)
	require.NoError(t, os.WriteFile(filepath.Join(root, "pxe.0"), boot, 0o644))
	op := serve4()
	s := &op.Server
	s.Domain, s.LocalDomain, s.MTU = "lab.example", true, 1400
	s.Subnets[0].Hosts = []host.StaticHost{{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}, Name: "fixed", Addr: netip.MustParseAddr("10.9.0.50")}}
	s.Subnets[0].BootFile, s.Subnets[0].TFTPRoot = "pxe.0", root
	s.Subnets = append(s.Subnets, host.Subnet{
		Prefix: netip.MustParsePrefix("2001:db8:9::1/64"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("2001:db8:9::100"), End: netip.MustParseAddr("2001:db8:9::1ff")}},
	})
	s.DNS.TXT = []host.TXTRecord{{Name: "info.lab.example", Value: "hello"}}
	s.DNS.SRV = []host.SRVRecord{{Service: "ldap", Protocol: "tcp", Domain: "lab.example", Target: "fixed.lab.example", Port: 389, Priority: 1, Weight: 5}}
	do(t, p.Backend, op)
	guest := p.guest(t, "port1", "52:54:00:00:00:02")

	t.Run("dhclient", func(t *testing.T) {
		testenv.NeedProgram(t, "dhclient")
		got := dhclient(t, guest, "-4")
		require.Equal(t, "10.9.0.50 255.255.255.0 10.9.0.1 10.9.0.1 lab.example 1400 pxe.0",
			strings.Join([]string{got["ip_address"], got["subnet_mask"], got["routers"], got["domain_name_servers"], got["domain_name"], got["interface_mtu"], got["filename"]}, " "))
		got = dhclient(t, guest, "-6")
		addr, err := netip.ParseAddr(got["ip6_address"])
		require.NoError(t, err)
		require.True(t, netip.MustParsePrefix("2001:db8:9::100/120").Contains(addr), addr)
		require.Equal(t, "2001:db8:9::1", got["dhcp6_name_servers"])
	})
	t.Run("udhcpc", func(t *testing.T) {
		testenv.NeedProgram(t, "udhcpc")
		script := filepath.Join(t.TempDir(), "script")
		require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n[ \"$1\" = bound ] && echo \"got $ip/$mask by $router of $domain for $lease\"\nexit 0\n"), 0o755))
		out := guest.Output(t, "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", script, "-O", "domain")
		require.Contains(t, out, "got 10.9.0.50/24 by 10.9.0.1 of lab.example for 3600")
	})
	guest.Output(t, "ip", "addr", "replace", "10.9.0.50/24", "dev", "eth0")
	t.Run("dig", func(t *testing.T) {
		testenv.NeedProgram(t, "dig")
		dig := func(args ...string) string {
			return strings.TrimSpace(guest.Output(t, "dig", append([]string{"@10.9.0.1", "+short", "+tries=5"}, args...)...))
		}
		require.Equal(t, "10.9.0.50", dig("fixed.lab.example"))
		require.Equal(t, "10.9.0.50", dig("+tcp", "FIXED.lab.example"))
		require.Equal(t, "10.9.0.50", dig("+noedns", "fixed"))
		require.Equal(t, "10.9.0.50", dig("+bufsize=4096", "+dnssec", "fixed"))
		require.Equal(t, `"hello"`, dig("info.lab.example", "TXT"))
		require.Equal(t, "1 5 389 fixed.lab.example.", dig("_ldap._tcp.lab.example", "SRV"))
		require.Equal(t, "fixed.lab.example.", dig("-x", "10.9.0.50"))
		require.Contains(t, guest.Output(t, "dig", "@10.9.0.1", "nobody.lab.example"), "status: NXDOMAIN")
		require.Contains(t, guest.Output(t, "dig", "@10.9.0.1", "www.example.org"), "status: REFUSED")
		require.Equal(t, "10.9.0.50", strings.TrimSpace(p.ns.Output(t, "dig", "@2001:db8:9::1", "+short", "fixed.lab.example")), "and the host itself")
	})
	t.Run("drill", func(t *testing.T) {
		testenv.NeedProgram(t, "drill")
		require.Contains(t, guest.Output(t, "drill", "-Q", "fixed.lab.example", "@10.9.0.1"), "10.9.0.50")
	})
	t.Run("atftp", func(t *testing.T) {
		testenv.NeedProgram(t, "atftp")
		for _, options := range [][]string{nil, {"--option", "blksize 1428"}, {"--option", "tsize"}} {
			to := filepath.Join(t.TempDir(), "got")
			guest.Output(t, "atftp", append(options, "--get", "--remote-file", "pxe.0", "--local-file", to, "10.9.0.1")...)
			got, err := os.ReadFile(to)
			require.NoError(t, err)
			require.True(t, bytes.Equal(boot, got), "%d bytes", len(got))
		}
	})
	do(t, p.Backend, op.Inverse())
	p.empty(t)
}

// dhclient takes a lease and gives it back, and returns what the program was told.
func dhclient(t *testing.T, guest *testenv.Namespace, family string) map[string]string {
	t.Helper()
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	// What the program would do with what it is told is not done: that is a matter of the machine.
	script := "#!/bin/sh\ncase $reason in BOUND|BOUND6) env | grep ^new_ >" + file("told") + ".new && mv " + file("told") + ".new " + file("told") + ";; esac\nexit 0\n"
	require.NoError(t, os.WriteFile(file("script"), []byte(script), 0o755))
	require.NoError(t, os.WriteFile(file("conf"), []byte("request subnet-mask, routers, domain-name, domain-name-servers, interface-mtu;\n"), 0o644))
	args := []string{family, "-v", "-sf", file("script"), "-cf", file("conf"), "-pf", file("pid"), "-lf", file("leases")}
	guest.Output(t, "dhclient", append(args, "-1", "eth0")...)
	var told []byte
	testenv.WaitFor(t, 20*time.Second, "what dhclient is told", func() (ok bool) {
		var err error
		told, err = os.ReadFile(file("told"))
		return err == nil
	})
	guest.Output(t, "dhclient", append(args, "-r", "eth0")...)
	got := map[string]string{}
	for line := range strings.Lines(string(told)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			got[strings.TrimPrefix(key, "new_")] = value
		}
	}
	return got
}
