// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const correctedHead = `
## On the host, in every mode

What libvirt's networks do on a host, and what this library does in any case: for none of it is there a switch, unless it stands above.

| libvirt 11.3 | this library | shown by |
|---|---|---|
`

// A correction is something that libvirt does on a host, which nobody wants back, with the tests that show what is done
// instead.
type correction struct {
	libvirt, we string
	tests       []string // package: name
}

var corrections = []correction{
	{"runs a program for each rule, so that half of them can be seen", "one transaction of nf_tables a network",
		[]string{"network/linux: TestFilterReplacedUnderTraffic"}},
	{"deletes rules by remembered handles, which may be others' by then", "replaces its own chains by their names, and nothing else",
		[]string{"internal/nft: TestDamage", "network/linux: TestFilterConcurrent"}},
	{"matches links by index, which the kernel uses again", "matches them by name",
		[]string{"internal/nft: TestText", "network/linux: TestRepairedBridgeServes"}},
	{"lets isolated guests send into routed networks, from any address", "both networks have to let a packet pass, and its source is looked at",
		[]string{"network/linux: TestFilterBothNetworksDecide", "domainiface: TestReachability", "domainiface: TestForgedSource"}},
	{"lets guests of isolated networks reach all of the host", "has a policy for that, `<virtnet:input>`",
		[]string{"network/linux: TestInput", "network/linux: TestInputServes"}},
	{"does not notice that its rules are gone, and then fails", "notices, and puts them back",
		[]string{"internal/nft: TestFlushRuleset", "network/linux: TestOpenMends", "network/linux: TestWatchDrift"}},
	{"says nothing of filters of other programs that stop its guests", "names the rule, or the parameter of the kernel",
		[]string{"domainiface: TestBarriers", "network/linux: TestBarriersOfIptables", "network/linux: TestPortForwardWithBridgesThatCall"}},
	{"tears the filter down for a new host of DHCP", "does what differs between two plans",
		[]string{"network: TestUpdateRunning", "network/linux: TestUpdateLive"}},
	{"deletes a foreign bridge when a start fails, and may end every process", "takes back the steps it has done, on what bears its mark, and signals by pidfd",
		[]string{"network: TestConflictsAreFoundBeforeAnythingIsDone", "network/linux: TestBridgeTakesNoLinkOfAnotherKind", "network/linux: TestForeignProcess"}},
	{"writes down last what it did, so that a crash leaves it behind", "writes down first what it will do",
		[]string{"network: TestLaws", "network/linux: TestKilled"}},
	{"takes a network for healthy whose bridge exists", "compares all of it with what was built",
		[]string{"network: TestCheckAndRepair", "network/linux: TestRepair"}},
	{"leaves dnsmasq to itself, and fails on versions it cannot read", "starts it again, says who holds port 53, and reads any version",
		[]string{"network/linux: TestSupervise", "network/linux: TestPortIsHeld", "internal/dnsmasq: TestParseVersion"}},
	{"starts no network where the kernel cannot repair the checksums of DHCP, and repairs those of IPv4 only", "repairs both families where the kernel can, and starts the network in any case",
		[]string{"network: TestPlanChecksums", "domainiface: TestChecksumsFilledIn", "domainiface: TestChecksumRepair", "domainiface: TestChecksumsLeft"}},
	{"gives every bridge a queue that limits nothing", "leaves it without",
		[]string{"domainiface: TestReplyChecksums"}},
	{"guarantees rates to IPv4 only, to some 197 guests, and counts wrong after a change", "to all protocols and as many as the kernel has classes, by one formula",
		[]string{"network/linux: TestFloorsHold", "network: TestClasses", "network: TestFloorsDoNotWrap"}},
	{"needs what the kernel may lack for every limit", "takes the best means that the kernel has, and says which in the plan",
		[]string{"network: TestPlanShape", "network/linux: TestEachMeans", "network/linux: TestPoliceHolds"}},
	{"has an IPv6 gateway that is not usable until a guest comes, and no router advertisement without DHCP or DNS", "adds it without waiting, and advertises every IPv6 subnet",
		[]string{"network/linux: TestAddAddr", "domainiface: TestRouterAdvertisement"}},
	{"looks for the very same IPv4 network among the routes", "for any overlap of either family, with the host and with other networks",
		[]string{"network: TestConflictsAreFoundBeforeAnythingIsDone", "network: TestManagerFreeSubnet"}},
	{"ignores a static route that cannot be added", "fails, and takes back the rest",
		[]string{"network: TestLaws", "domainiface: TestStaticRoutes"}},
	{"switches forwarding on for good, and refuses hosts that take router advertisements", "gives it back with the last network, and says what stands against it",
		[]string{"network: TestForwardingIsGivenBackByTheLastUser", "network/linux: TestForwardingBlocked"}},
	{"leaves guests off the bridge of a network that was restarted", "plugs them in again",
		[]string{"network: TestPorts", "network/linux: TestFaultWhileGuestsArePluggedAgain"}},
	{"has ports wait four seconds before they forward, unless STP is off", "does the same, and says so in the plan",
		[]string{"domainiface: TestForwardDelay"}},
	{"keeps the class and the name of a port that a hook refused", "takes back all of it",
		[]string{"network: TestPortFaults"}},
	{"knows the name of a static host only while it has a lease, and fails without systemd-resolved", "knows it always, and only tries to tell the resolver",
		[]string{"network: TestServerDeviations", "network: TestRegister", "network: TestRegisterNothing"}},
	{"leads no port of the host to a guest", "does, `<virtnet:forwards>`",
		[]string{"network/linux: TestPortForward"}},
	{"writes what it chose into the document of a network that runs", "leaves documents as they are, but for what names the network on the host",
		[]string{"examples/virtnet: TestStation"}},
	{"has the host speak into the network by each tap", "is silent there",
		[]string{"network/linux: TestPortsAreSilent", "network/linux: TestMacvtapIsSilent"}},
	{"uses the first of several uplinks in its rules", "uses all of them",
		[]string{"domainiface: TestUplinks"}},
	{"has all its networks wait for one lock with every lease", "each server keeps its own",
		[]string{"network/linux: TestManyServers", "network/linux: TestNoLeaseIsLost"}},
}

// correctedText returns the table of corrections, having looked for their tests.
func correctedText(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(correctedHead)
	for _, c := range corrections {
		require.NotEmpty(t, c.tests, c.libvirt)
		for _, test := range c.tests {
			assert.True(t, hasTest(t, test), "there is no test %s", test)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.libvirt, c.we, strings.Join(c.tests, ", "))
	}
	return b.String()
}
