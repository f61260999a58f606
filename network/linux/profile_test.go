// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

func TestAnswersOfSwitches(t *testing.T) {
	require.NoError(t, extenderAnswer(rtnl.ProfileSuccess))
	require.NoError(t, answered(0))
	for _, c := range []struct {
		err  error
		want string
	}{
		{extenderAnswer(rtnl.ProfileInvalid), "refused by the switch: it does not know the profile (code 0x102)"},
		{extenderAnswer(rtnl.ProfileBadState), "refused by the switch: the port is in no state for it (code 0x103)"},
		{extenderAnswer(rtnl.ProfileInsufficientResources), "refused by the switch: it lacks resources (code 0x104)"},
		{extenderAnswer(rtnl.ProfileError), "refused by the switch: an error of its own (code 0x105)"},
		{extenderAnswer(7), "refused by the switch: an unknown answer (code 0x7)"},
		{answered(2), "refused by the switch: it lacks resources (code 0x2)"},
		{answered(0x33), "refused by the switch: its manager cannot be reached, or does not know the profile (code 0x33)"},
		{answered(0x0f), "refused by the switch: a reason of its own (code 0xf)"},
	} {
		require.EqualError(t, c.err, c.want)
		require.ErrorIs(t, c.err, host.ErrRefused)
	}
}
