package history

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/pubsub"
)

// Defaults and bounds of Options and Topic.
const (
	defaultAge            = 10 * time.Minute
	defaultCacheBytes     = 64 << 20
	defaultStoreBytes     = 256 << 20
	leastStoreBytes       = 64 << 10
	defaultPublishTimeout = 5 * time.Second
	defaultCheck          = 30 * time.Second
	defaultSince          = "since"
	offsetsParam          = "offsets" // the other member of a join's payload that bennu reads

	maxBytes          = option.MaxCount
	maxMemory         = min(64<<30, math.MaxInt)
	maxAge            = option.MaxDuration
	maxPublishTimeout = 5 * time.Minute
	maxSince          = 64 // bytes of SinceParam
)

// checker resolves options. Its error is the first one.
type checker struct{ option.Checker }

// settings are Options with their defaults resolved.
type settings struct {
	Options
	topics []keptTopic
}

// check returns the options with their defaults. It panics for a mistake in a pattern, as the
// registration of a channel does: a mistake there is one in the text of the program. Other mistakes may
// come from its configuration, so they are errors.
func (o *Options) check(ps *pubsub.PubSub, where string) (*settings, error) {
	if o == nil {
		o = new(Options)
	}
	c := &checker{option.Checker{Of: "history: option "}}
	s := &settings{Options: *o, topics: keptTopics(c, o.Topics, where)}
	s.CacheBytes = c.count("CacheBytes", o.CacheBytes, defaultCacheBytes, maxMemory)
	s.StoreBytes = c.count("StoreBytes", o.StoreBytes, defaultStoreBytes, maxMemory)
	s.PublishTimeout = c.Finite("PublishTimeout", o.PublishTimeout, defaultPublishTimeout, maxPublishTimeout)
	s.Check = c.Finite("Check", o.Check, defaultCheck, option.MaxDuration)
	c.checkStore(o, ps)
	c.checkSince(s)
	return s, c.Err
}

// checkStore refuses a store that does not fit the PubSub or the other options. Most of all it refuses the
// memory of one node where there may be others: clients would be told that they have recovered, though they
// have missed messages of other nodes.
func (c *checker) checkStore(o *Options, ps *pubsub.PubSub) {
	switch {
	case ps == nil:
		c.wrong("the PubSub is nil; pass that of the endpoint")
	case o.Store == nil && ps.Node() != "":
		c.wrong("option Store is nil, which is the memory of this node, and the PubSub has an adapter, so that there may be other nodes; set Store to one that all nodes share, such as that of redishistory.New")
	case o.Store != nil && nils.Is(o.Store):
		c.wrong("option Store is a nil %T; leave it out for the memory of this node", o.Store)
	case o.Store != nil && o.StoreBytes != 0:
		c.wrong("option StoreBytes is for the default store, and Store is set; leave one of them out")
	case o.StoreBytes > 0 && o.StoreBytes < leastStoreBytes:
		c.wrong("option StoreBytes is %d; use at least %d", o.StoreBytes, leastStoreBytes)
	}
}

// checkSince refuses a name that no client can send.
func (c *checker) checkSince(s *settings) {
	switch {
	case s.SinceParam == "":
		s.SinceParam = defaultSince
	case s.SinceParam == offsetsParam:
		c.wrong("option SinceParam is %q, which is the member that has the form of the offsets; use another name", offsetsParam)
	case len(s.SinceParam) > maxSince || !utf8.ValidString(s.SinceParam):
		c.wrong("option SinceParam is %.100q; use UTF-8 of at most %d bytes", s.SinceParam, maxSince)
	}
}

// count resolves a number that must not be Unlimited: all of what it bounds is in memory.
func (c *checker) count(name string, v, def, most int) int {
	switch {
	case v == 0:
		return def
	case v < 0 && def == 0:
		c.wrong("option %s is %d; use 0 for none, or up to %d", name, v, most)
	case v < 0:
		c.wrong("option %s is %d; use 0 for the default of %d, or up to %d", name, v, def, most)
	case v > most:
		c.wrong("option %s is %d; use up to %d", name, v, most)
	}
	return v
}

// upToSize is count for a number of messages of which a topic keeps size.
func (c *checker) upToSize(name string, v, def, size int) int {
	if v > size {
		c.wrong("option %s is %d; use up to %d, the Size of the Topic", name, v, size)
	}
	return c.count(name, v, def, size)
}

// wrong sets the error, if there is none.
func (c *checker) wrong(format string, args ...any) {
	if c.Err == nil {
		c.Err = fmt.Errorf("history: "+format, args...)
	}
}
