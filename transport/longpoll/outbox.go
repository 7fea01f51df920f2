package longpoll

// batch is what one poll is answered with. Its number is that of the token that
// goes with it.
type batch struct {
	number   uint64
	messages [][]byte
}

// outbox holds what waits for a client, and what the client was given until it
// proves that it has it. It is guarded by its session.
//
// The batch that a client is given comes with a token of the next number. Whoever
// presents that number has received the batch. A client that keeps presenting the
// number before it either missed the answer or does not look at tokens at all;
// the outbox takes it for the former only once the client has shown that it adopts
// tokens.
type outbox struct {
	queue   [][]byte
	pending [][]byte // handed over and not proven; empty for none
	bytes   int      // of both
	handed  uint64   // batches handed over, the pending one included

	adopting bool
	to       waiter // who was given the pending batch; nil once it was given again
}

// proof is what the number of a poll says.
type proof int

const (
	proofCurrent proof = iota // all that was handed over has arrived
	proofRepeat               // the pending batch is asked for again
	proofGap                  // a batch is asked for that is gone
	proofUnknown              // no batch has had this number
)

// prove takes the number that a poll presents.
func (o *outbox) prove(number uint64) proof {
	switch {
	case number > o.handed:
		return proofUnknown
	case number > 0:
		o.adopting = true
	}
	switch {
	case number == o.handed || !o.adopting:
		o.received()
		return proofCurrent
	case number == o.handed-1 && len(o.pending) > 0:
		return proofRepeat
	}
	return proofGap
}

// received forgets the pending batch.
func (o *outbox) received() {
	for _, m := range o.pending {
		o.bytes -= len(m)
	}
	o.pending, o.to = nil, nil
}

func (o *outbox) fits(n int, l *limits) bool {
	return n <= l.bufferBytes-o.bytes && len(o.queue)+len(o.pending) < l.bufferMsgs
}

func (o *outbox) push(m []byte) {
	o.queue = append(o.queue, m)
	o.bytes += len(m)
}

// hand takes all that is queued. Nothing must be pending.
func (o *outbox) hand(to waiter) batch {
	o.handed++
	o.pending, o.queue, o.to = o.queue, nil, to
	return batch{o.handed, o.pending}
}

// repeat is the pending batch. From now on its number may be known to the client,
// so that it can no longer be restored.
func (o *outbox) repeat() batch {
	o.to = nil
	return batch{o.handed, o.pending}
}

// restore undoes hand, for a batch that was given to nobody but to, and of which
// that has written nothing.
func (o *outbox) restore() {
	o.queue = append(o.pending[:len(o.pending):len(o.pending)], o.queue...)
	o.pending, o.to = nil, nil
	o.handed--
}

// drop forgets everything.
func (o *outbox) drop() { o.queue, o.pending, o.to, o.bytes = nil, nil, nil, 0 }
