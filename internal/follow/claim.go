package follow

import (
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// claims are the PubSubs that have a Log. Two Logs on one PubSub would take each other's messages for
// their own.
var claims sync.Map // *pubsub.PubSub to struct{}

// Claim reserves a PubSub for a Log. It returns false if the PubSub has one already.
func Claim(ps *pubsub.PubSub) bool {
	_, taken := claims.LoadOrStore(ps, struct{}{})
	return !taken
}

// Claimed reports whether a PubSub has a Log.
func Claimed(ps *pubsub.PubSub) bool {
	_, taken := claims.Load(ps)
	return taken
}

// Release ends a Claim.
func Release(ps *pubsub.PubSub) { claims.Delete(ps) }
