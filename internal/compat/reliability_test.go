// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const reliabilityHead = `# What is promised, and how that is tested

Written by ` + "`go test ./internal/compat -run Page -update`" + `, which fails if a test that is named here is gone.
`

// A promise is what a user may rely on, with the tests that would fail if it were not kept.
type promise struct {
	what  string
	tests []string // package: name
}

// promises are by subject.
var promises = []struct {
	subject string
	list    []promise
}{
	{"All or nothing", []promise{
		{"A step that fails leaves the host as it was, whichever it is, and the error names it", []string{"network: TestLaws", "network/linux: TestLaws", "network: TestPortFaults", "network: TestUpdateFails", "network: TestUpdateStoreFails", "network/linux: TestServeFailsAtEachStep"}},
		{"So does each system call that fails: messages to the kernel, rules, programs, files (ENOSPC, EPERM, EBUSY, EINTR, ENOBUFS, interrupted dumps, answers cut off)", []string{"network/linux: TestEverySystemCallFails", "network/linux: TestFailureHalfWay", "internal/rtnl: TestListsUnderChurn", "internal/nft: TestErrors"}},
		{"A program that is killed at any moment leaves what the next one brings to all or nothing", []string{"internal/soak: TestSoakKilled", "network/linux: TestKilled", "network/linux: TestUpdateKilled", "network/linux: TestNamesUpdateKilled", "network/linux: TestAttachIsKilled", "network/linux: TestStarterIsKilled", "network: TestPortKilled"}},
		{"A disk that is full, of the state or of servers, refuses what needs it and leaves nothing behind", []string{"internal/hostile: TestDiskFull"}},
		{"What is stopped leaves nothing: no device, address, rule, parameter, file, process, descriptor, goroutine", []string{"internal/soak: TestSoak", "network: TestStateFolderHoldsNothingAfterwards", "network/linux: TestCloseGivesBackDescriptors"}},
	}},
	{"Guests go on", []promise{
		{"The end of a program, however it ends, touches no guest that is attached: its device stays the same and plugged in, and it reaches the host", []string{"internal/soak: TestSoakKilled", "network/linux: TestAttachIsKilled"}},
		{"dnsmasq goes on with its process and its leases; servers in the program are back with all leases at the next Open", []string{"internal/soak: TestSoakKilled", "network/linux: TestServerIsKilled", "network/linux: TestNoLeaseIsLost", "network/linux: TestOtherProcessServes"}},
		{"A server that dies is started again with its leases", []string{"network/linux: TestSupervise", "network/linux: TestSuperviseTwice"}},
		{"Leases outlive a stop of their network", []string{"network: TestLeasesOutliveAStop", "internal/soak: TestSoakKilled"}},
		{"A network that was stopped has its guests again when it is started", []string{"network: TestPorts", "network/linux: TestFaultWhileGuestsArePluggedAgain"}},
	}},
	{"Many at once", []promise{
		{"Any number of goroutines and programs may share the state; what stands is whole whenever somebody looks", []string{"internal/soak: TestSoak", "network: TestTenNetworksAtOnce", "network: TestPortsOfTwoManagers", "network: TestSecondStarterWins", "network: TestUpdateConcurrent", "network/linux: TestClassesOfTwoPrograms", "network/linux: TestManyAtOnce", "network: TestStoreLockExcludes"}},
	}},
	{"Hostile neighbours", []promise{
		{"Rules that are flushed or changed are found and put back", []string{"network/linux: TestRepair", "network/linux: TestHeal", "network/linux: TestOpenMends", "network/linux: TestWatchDrift"}},
		{"A bridge that is deleted is made again, with its guests on it, and serves them", []string{"network/linux: TestRepair", "network/linux: TestHeal", "network/linux: TestRepairedBridgeServes"}},
		{"A dnsmasq that is killed is found, and started again", []string{"network/linux: TestRepair", "network/linux: TestHeal", "network/linux: TestSupervise"}},
		{"A guest's device that is removed is told, the others notice nothing, and its port can be deleted", []string{"internal/hostile: TestPortRemoved", "network: TestRepairLeavesLostGuests", "network/linux: TestMacvtapIsLost"}},
		{"An address that is taken from a bridge is found, and comes back", []string{"internal/hostile: TestAddressStolen", "internal/hostile: TestGuestClaimsAddressOfHost"}},
		{"A state file that was cut off or changed, by one bit even, is noticed and said; other networks do not suffer; the record of a defined network is made anew from the mark of its bridge", []string{"network: TestSpoiledRecord", "network: TestSpoiledRecordIsSaid", "network: TestSpoiledRecordOfWhatIsGone", "network: TestSpoiledClaims", "internal/hostile: TestStateFilesSpoiled", "internal/hostile: TestPortFileSpoiled", "network: TestDirLeavesNothingHalfWritten"}},
		{"A clock that jumps takes no address from a guest, and gives none to two (servers in the program, by a clock of the test's)", []string{"network/serve: TestClockJumps", "network: TestLeasesOutliveAStop"}},
		{"Devices, chains and processes of others that have the same names are refused or passed by, never taken or ended", []string{"internal/hostile: TestNamesOfOthers", "network: TestConflictsAreFoundBeforeAnythingIsDone", "network: TestRepairLeavesWhatIsOthers", "network: TestOpenPlugsIntoNoStranger", "network/linux: TestFinishLeavesForeignLinks", "network/linux: TestForeignProcess", "network/linux: TestPortIsHeld", "network/linux: TestForeignRootStays", "internal/nft: TestForeign"}},
		{"Who breaks it again and again is not fought", []string{"network: TestHealDoesNotFight"}},
	}},
}

// TestReliabilityPage checks docs/reliability.md, and that each test in it is there.
func TestReliabilityPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(reliabilityHead)
	for _, s := range promises {
		fmt.Fprintf(&b, "\n## %s\n\n| promise | tests |\n|---|---|\n", s.subject)
		for _, p := range s.list {
			require.NotEmpty(t, p.tests, p.what)
			for _, test := range p.tests {
				assert.True(t, hasTest(t, test), "there is no test %s", test)
			}
			fmt.Fprintf(&b, "| %s | %s |\n", p.what, strings.Join(p.tests, ", "))
		}
	}
	figures, err := os.ReadFile("testdata/reliability.md")
	require.NoError(t, err)
	b.WriteString("\n")
	b.Write(figures)
	page(t, "reliability.md", b.String())
}
