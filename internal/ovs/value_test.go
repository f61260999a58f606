// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValues(t *testing.T) {
	for text, value := range map[string]any{
		`["uuid","36bef046-7da7-43a5-905a-c17899216fcb"]`: uuid("36bef046-7da7-43a5-905a-c17899216fcb"),
		`["named-uuid","port"]`:                           named("port"),
		`["set",[]]`:                                      set[string](nil),
		`["set",[10,20]]`:                                 set[uint16]{10, 20},
		`["set",[["uuid","a"]]]`:                          set[uuid]{"a"},
		`["map",[]]`:                                      dict[string, string]{},
		`["map",[["a","1"],["b","2"]]]`:                   dict[string, string]{"b": "2", "a": "1"},
		`["map",[[0,["uuid","q"]]]]`:                      dict[int, uuid]{0: "q"},
	} {
		data, err := json.Marshal(value)
		require.NoError(t, err)
		require.Equal(t, text, string(data))
	}
}

func TestReadValues(t *testing.T) {
	var row struct {
		Tag    set[uint16]
		Trunks set[uint16]
		QoS    set[uuid]
		None   set[string]
		IDs    dict[string, string]
		Queues dict[int, uuid]
	}
	require.NoError(t, json.Unmarshal([]byte(
		`{"tag":10,"trunks":["set",[7,8]],"qos":["uuid","q"],"none":["set",[]],"ids":["map",[["a","1"]]],"queues":["map",[[0,["uuid","z"]]]]}`), &row))
	require.Equal(t, set[uint16]{10}, row.Tag)
	require.Equal(t, set[uint16]{7, 8}, row.Trunks)
	require.Equal(t, uuid("q"), row.QoS.first())
	require.Empty(t, row.None)
	require.Zero(t, row.None.first())
	require.Equal(t, dict[string, string]{"a": "1"}, row.IDs)
	require.Equal(t, dict[int, uuid]{0: "z"}, row.Queues)
	for _, text := range []string{
		`{"tag":"ten"}`, `{"trunks":["set",["ten"]]}`, `{"qos":["row","q"]}`, `{"qos":7}`, `{"ids":["set",[]]}`, `{"ids":["map",[["a"]]]}`,
		`{"ids":["map",[["a",1]]]}`, `{"queues":["map",[["a",["uuid","z"]]]]}`, `{"queues":["map",7]}`,
	} {
		require.Error(t, json.Unmarshal([]byte(text), &row), text)
	}
}

// FuzzValues wants of any answer that it is refused, or written as it was read.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`{"_uuid":["uuid","a"],"name":"tap0","tag":10,"trunks":["set",[7,8]],"vlan_mode":["set",[]],"qos":["uuid","q"],"external_ids":["map",[["a","1"]]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var row, again portRow
		if json.Unmarshal(data, &row) != nil {
			return
		}
		text, err := json.Marshal(row)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &again))
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(twice))
	})
}
