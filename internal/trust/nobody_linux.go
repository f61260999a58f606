// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// MapsNobody reports whether the user nobody of this process is a user of the machine, as it is but in a small user
// namespace: then a process that is root may become it.
func MapsNobody() bool { return mapsNobody() }

// mapsNobody looks once: the users of a process are settled before it runs.
var mapsNobody = sync.OnceValue(func() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return true
	}
	const nobody = 65534
	for line := range strings.Lines(string(data)) {
		var inside, outside, count uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err == nil && inside <= nobody && nobody-inside < count {
			return true
		}
	}
	return false
})
