package longpoll

// batch is what one poll is answered with. Its number is that of the token that
// goes with it.
type batch struct {
	number   uint64
	messages [][]byte
	load     *load
}

// load is how much a batch weighs. It counts until the batch is received and no answer with it
// is being written: a client may acknowledge what it has not read.
type load struct {
	bytes, messages int
	writers         int
	received        bool
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
	load    *load    // of the pending batch
	bytes   int      // of both, and of what is received and still being written
	writing int      // messages that are received and still being written
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
	if l := o.load; l != nil {
		l.received = true
		o.writing += l.messages
		o.unload(l)
	}
	o.pending, o.load, o.to = nil, nil, nil
}

// written says that an answer with the batch is not being written any more.
func (o *outbox) written(b *batch) {
	b.load.writers--
	o.unload(b.load)
}

func (o *outbox) unload(l *load) {
	if l.received && l.writers == 0 {
		o.bytes -= l.bytes
		o.writing -= l.messages
	}
}

// messages is how many there are.
func (o *outbox) messages() int { return len(o.queue) + len(o.pending) + o.writing }

// fits reports whether another message of n bytes keeps to the bounds. A client that has little
// waiting is not slow, however large the next message is.
func (o *outbox) fits(n int, l *limits) bool {
	return (n <= l.bufferBytes-o.bytes || n <= l.bufferBytes && o.bytes <= l.bufferBytes/8) && o.messages() < l.bufferMsgs
}

func (o *outbox) push(m []byte) {
	o.queue = append(o.queue, m)
	o.bytes += len(m)
}

// hand takes all that is queued. Nothing must be pending. Like what repeat returns, the batch is
// to be given to written.
func (o *outbox) hand(to waiter) batch {
	o.handed++
	o.load = &load{messages: len(o.queue), writers: 1}
	for _, m := range o.queue {
		o.load.bytes += len(m)
	}
	o.pending, o.queue, o.to = o.queue, nil, to
	return batch{o.handed, o.pending, o.load}
}

// repeat is the pending batch. From now on its number may be known to the client,
// so that it can no longer be restored.
func (o *outbox) repeat() batch {
	o.to = nil
	o.load.writers++
	return batch{o.handed, o.pending, o.load}
}

// restore undoes hand, for a batch that was given to nobody but to, and of which
// that has written nothing.
func (o *outbox) restore() {
	o.queue = append(o.pending[:len(o.pending):len(o.pending)], o.queue...)
	o.pending, o.load, o.to = nil, nil, nil
	o.handed--
}

// drop forgets everything.
func (o *outbox) drop() { o.queue, o.pending, o.load, o.to, o.bytes = nil, nil, nil, nil, 0 }
