package bennu_test

import (
	"reflect"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/pubsub"
)

// TestEmbeddedMethods wants types that a program embeds in its own to have none of the methods by
// which this module drives them: a "go s.Run()" would run two callbacks of one channel at once.
func TestEmbeddedMethods(t *testing.T) {
	type state struct{ *bennu.Channel }
	type counter struct{ *bennu.Subscription }
	for _, typ := range []reflect.Type{
		reflect.TypeFor[state](), reflect.TypeFor[counter](), reflect.TypeFor[*bennu.Socket](), reflect.TypeFor[*bennu.Endpoint](),
	} {
		for _, driven := range []reflect.Type{
			reflect.TypeFor[task.Runner](), reflect.TypeFor[pubsub.Subscriber](), reflect.TypeFor[seam.Receiver](), reflect.TypeFor[seam.Acceptor](),
		} {
			if typ.Implements(driven) {
				t.Errorf("%s implements %s", typ, driven)
			}
		}
		if _, ok := typ.MethodByName("Gap"); ok {
			t.Errorf("%s has a method Gap", typ)
		}
	}
}
