package pubsub

// receiver is the Receiver of a PubSub. It is a type of its own so that these methods are not part
// of the public type.
type receiver PubSub

// Receive implements Receiver.
func (r *receiver) Receive(m *Message) {
	_ = (*PubSub)(r).dispatch(nil, m, fromElsewhere)
}

// Gap implements Receiver. For a gap in one topic it calls the subscribers in this goroutine; for
// one in all topics another goroutine does so, spread over time.
func (r *receiver) Gap(g Gap) {
	p := (*PubSub)(r)
	if g.Topic != "" {
		for _, s := range p.topicGap(&g) {
			s.subscriber.(GapSubscriber).Gap(g.Topic)
		}
		return
	}
	p.gapOfAll()
}
