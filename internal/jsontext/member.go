package jsontext

import "encoding/json"

// WithMember returns a JSON object with one member set, in place of one that it has. The members may
// come in another order.
func WithMember(object []byte, name string, value []byte) ([]byte, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	members[name] = value
	return Append(nil, members)
}

// HasMember reports whether a JSON object has a member.
func HasMember(object []byte, name string) bool {
	members := map[string]json.RawMessage{}
	return json.Unmarshal(object, &members) == nil && members[name] != nil
}
