package presence

import (
	"encoding/json"

	"github.com/bennu-go/bennu/client"
)

// records is a list, or one half of a difference, as the server sends it, by key.
type records[Meta any] map[string]record[Meta]

// diff is a presence_diff.
type diff[Meta any] struct {
	Joins  records[Meta] `json:"joins"`
	Leaves records[Meta] `json:"leaves"`
}

// record is one key: its metas, and the whole JSON object.
type record[Meta any] struct {
	metas  []meta[Meta]
	fields client.Payload
}

// meta is one presence, which is known by its phx_ref.
type meta[Meta any] struct {
	ref   string
	value Meta
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *record[Meta]) UnmarshalJSON(data []byte) error {
	var v struct {
		Metas []meta[Meta] `json:"metas"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	r.metas = v.Metas
	r.fields = client.Payload{Data: append([]byte(nil), data...)}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *meta[Meta]) UnmarshalJSON(data []byte) error {
	var v struct {
		Ref string `json:"phx_ref"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	m.ref = v.Ref
	return json.Unmarshal(data, &m.value)
}

// without returns a copy of r without the metas whose refs other has.
func (r record[Meta]) without(other record[Meta]) record[Meta] {
	refs := make(map[string]bool, len(other.metas))
	for _, m := range other.metas {
		refs[m.ref] = true
	}
	rest := make([]meta[Meta], 0, len(r.metas))
	for _, m := range r.metas {
		if !refs[m.ref] {
			rest = append(rest, m)
		}
	}
	return record[Meta]{rest, r.fields}
}

// values returns the metas without their refs.
func (r record[Meta]) values() []Meta {
	values := make([]Meta, 0, len(r.metas))
	for _, m := range r.metas {
		values = append(values, m.value)
	}
	return values
}
