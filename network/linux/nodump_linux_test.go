// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// sentMessage finds the messages to rtnetlink in what strace says: their types, and the flags as strace names them.
var sentMessage = regexp.MustCompile(`nlmsg_type=(0x[0-9a-f]+|RTM_\w+)[^,]*, nlmsg_flags=([^,]+),`)

// TestGuestsAskForNoLists: to attach and to detach a guest does not ask the kernel for a list of anything, which would take the longer
// the more guests there are.
func TestGuestsAskForNoLists(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "strace")
	for _, do := range []string{"attach tap", "attach veth", "attach macvtap", "detach"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			w := newUnluckyWorld(t, do)
			if do != "attach macvtap" {
				w.Interface = `<interface type='network'><source network='lan'/></interface>`
			}
			w.prepare()
			what, trace, _ := w.run(do, "-e", "trace=sendto,sendmsg")
			require.Empty(t, what.Error)
			sent := sentMessage.FindAllStringSubmatch(trace, -1)
			require.NotEmpty(t, sent, trace)
			for _, m := range sent {
				require.False(t, asksForList(t, m[1], m[2]), "%s\n%s", m[0], trace)
			}
			w.restore(fault{}, what)
			w.finish()
		})
	}
}

// asksForList reports whether a message of that type, which is a question, has a flag that asks for more than one answer.
func asksForList(t *testing.T, kind, flags string) bool {
	t.Helper()
	question := strings.HasPrefix(kind, "RTM_GET")
	if number, ok := strings.CutPrefix(kind, "0x"); ok {
		n, err := strconv.ParseUint(number, 16, 16)
		require.NoError(t, err)
		question = n < 0x100 && n%4 == 2 // as rtnetlink numbers them; others have larger numbers
	}
	for flag := range strings.SplitSeq(flags, "|") {
		if n, err := strconv.ParseUint(flag, 0, 16); flag == "NLM_F_DUMP" || err == nil && n&0x300 != 0 {
			return question
		}
	}
	return false
}

// TestAsksForList: the messages are told apart.
func TestAsksForList(t *testing.T) {
	require.True(t, asksForList(t, "0x16", "NLM_F_REQUEST|0x300"))
	require.True(t, asksForList(t, "RTM_GETLINK", "NLM_F_REQUEST|NLM_F_DUMP"))
	require.False(t, asksForList(t, "0x12", "NLM_F_REQUEST"))
	require.False(t, asksForList(t, "0x10", "NLM_F_REQUEST|NLM_F_ACK|0x600"))
}
