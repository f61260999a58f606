// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Alone(m)) }
