package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// position is a place in the history of a topic, such as "e7k2m6x4:88120". Other refs have no colon.
// The zero position is none.
type position struct {
	text   string
	epoch  string
	offset uint64
	known  bool // offset was read; it is not from a server that writes positions in another way
}

// parsePosition returns the position in a ref, or the zero position.
func parsePosition(ref string) position {
	i := strings.LastIndexByte(ref, ':')
	if i < 0 {
		return position{}
	}
	n, err := strconv.ParseUint(ref[i+1:], 10, 64)
	return position{ref, ref[:i], n, err == nil}
}

// isZero reports whether p is none.
func (p position) isZero() bool { return p.text == "" }

// follows reports whether a client at q lacks the message at p. Within an epoch, offsets rise.
func (p position) follows(q position) bool {
	switch {
	case p.isZero() || p.text == q.text:
		return false
	case p.known && q.known && p.epoch == q.epoch:
		return p.offset > q.offset
	}
	return true
}

var errNoObject = errors.New("client: params of a channel that resumes must be a JSON object or nil")

// isObject reports whether a payload of encode is a JSON object. None is the empty object.
func isObject(p Payload) bool {
	return !p.Binary && (len(p.Data) == 0 || p.Data[0] == '{')
}

// withSince returns params, which are an object of encode, with the member since, of that name, in place of
// one that they have. If at is none, theirs stays.
func withSince(params Payload, since string, at position) (Payload, error) {
	object, value := params.Data, []byte("null")
	if len(object) == 0 {
		object = []byte("{}")
	}
	switch {
	case !at.isZero():
		value = jsontext.AppendString(nil, at.text)
	case jsontext.HasMember(object, since):
		return params, nil
	}
	data, err := jsontext.WithMember(object, since, value)
	if err != nil {
		err = fmt.Errorf("client: params of a join: %w", err)
	}
	return Payload{Data: data}, err
}
