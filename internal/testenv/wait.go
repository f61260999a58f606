// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"testing"
	"time"
)

// WaitFor asks again and again until the answer is yes, and ends the test if that takes longer than timeout. What names
// the thing that was waited for.
func WaitFor(t testing.TB, timeout time.Duration, what string, is func() bool) {
	t.Helper()
	pause := time.Millisecond
	for start := time.Now(); !is(); {
		if time.Since(start) > timeout {
			t.Fatalf("%s: not so after %s", what, timeout)
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}
