// SPDX-License-Identifier: Apache-2.0

package virtualport_test

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// A network names the switch, its port group the profile, and the identity is made up.
func ExampleMerge() {
	m, err := virtualport.Merge(schema.Rules{},
		virtualport.Source{Layer: schema.ByInterface, Path: "/interface/virtualport"},
		virtualport.Source{Layer: schema.ByNetwork, Path: "/network/virtualport",
			Profile: &virtualport.VirtualPort{Type: virtualport.OpenVSwitch}},
		virtualport.Source{Layer: schema.ByPortGroup, Path: "/network/portgroup[1]/virtualport",
			Profile: &virtualport.VirtualPort{Parameters: &virtualport.Parameters{ProfileID: "voice"}}},
	)
	if err == nil {
		err = m.Complete(rand.Reader)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range m.Settings {
		fmt.Println(s.Name, s.Layer)
	}
	// Output:
	// type network
	// interfaceid generated
	// profileid portgroup
}

// What two of them say differently is no override, but an error.
func ExampleConflictError() {
	profile := func(name string) *virtualport.VirtualPort {
		return &virtualport.VirtualPort{Type: virtualport.Qbh, Parameters: &virtualport.Parameters{ProfileID: name}}
	}
	_, err := virtualport.Merge(schema.Rules{},
		virtualport.Source{Layer: schema.ByInterface, Path: "/interface/virtualport", Profile: profile("gold")},
		virtualport.Source{Layer: schema.ByNetwork, Path: "/network/virtualport", Profile: profile("silver")},
	)
	var conflict *virtualport.ConflictError
	if errors.As(err, &conflict) {
		fmt.Println(conflict.Parameter, conflict.First.Value, conflict.Second.Value, conflict.Second.Layer)
	}
	// Output: profileid gold silver network
}
