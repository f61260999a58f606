// SPDX-License-Identifier: Apache-2.0

package testenv_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// A verdict is a test that goes on, and notes how it would have ended.
type verdict struct {
	testing.TB
	skip, fail string
}

func (v *verdict) Helper()                           {}
func (v *verdict) Skip(args ...any)                  { v.skip = fmt.Sprint(args...) }
func (v *verdict) Fatalf(format string, args ...any) { v.fail = fmt.Sprintf(format, args...) }

func TestLack(t *testing.T) {
	t.Setenv(testenv.RingVar, "")
	elsewhere := verdict{}
	testenv.Lack(&elsewhere, "no %s", "bonds")
	require.Equal(t, verdict{skip: testenv.SkipMark + "no bonds"}, elsewhere)

	t.Setenv(testenv.RingVar, "3")
	there := verdict{}
	testenv.Lack(&there, "no %s", "bonds")
	require.Contains(t, there.fail, "no bonds")
}
