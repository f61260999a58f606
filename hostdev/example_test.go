// SPDX-License-Identifier: Apache-2.0

package hostdev_test

import (
	"fmt"

	"github.com/go-virtnet/virtnet/hostdev"
)

func ExamplePool() {
	pool := hostdev.NewPool(hostdev.Device{Name: "eth1"}, hostdev.Device{Name: "eth2"}, hostdev.Device{Name: "eth3"})
	pool.Close(hostdev.Device{Name: "eth2"}, hostdev.Reason("is a port of bridge br0"))
	for range 3 {
		d, _ := pool.Least()
		pool.Take(d)
		fmt.Println(d)
	}
	_, ok := pool.Free()
	fmt.Println(ok, pool.Obstacles(true, hostdev.Device.String))
	// Output:
	// eth1
	// eth3
	// eth1
	// false eth1 has users: 2; eth2 is a port of bridge br0; eth3 has users: 1
}
