package longpoll

// batch is the messages in the answer to one poll. Its number is that of the token in the answer.
type batch struct {
	number   uint64
	messages [][]byte
	load     *load
}

// load is the size of a batch. It counts in the outbox until the batch is received and no answer
// with it is being written: a client may acknowledge a batch before it has read it.
type load struct {
	bytes, messages int
	writers         int  // answers with the batch that are being written
	received        bool // the client has acknowledged it
}

// outbox has the messages that wait for a client, and those that it was given and has not
// acknowledged. The session's lock guards it.
//
// A batch is sent with a token of the next number. A client that presents that number has received
// the batch. A client that presents the number before it either missed the answer, or never looks
// at tokens. The outbox assumes the former only if the client has shown that it adopts tokens.
type outbox struct {
	queue   [][]byte // not yet in a batch
	pending [][]byte // the batch that is sent and not acknowledged; empty if there is none
	load    *load    // of the pending batch
	bytes   int      // of queue, pending, and received batches that are still being written
	writing int      // messages in received batches that are still being written
	handed  uint64   // number of the latest batch

	adopting bool   // the client adopts tokens
	to       waiter // the poll that got the pending batch; nil if it was given again
}

// proof is what the number in a poll's token proves.
type proof int

const (
	proofCurrent proof = iota // all batches were received
	proofRepeat               // the pending batch was missed
	proofGap                  // a batch is asked for that was dropped
	proofUnknown              // no batch has had this number
)

// prove applies the number in a poll's token.
// With the number of the latest batch the client has everything. With the one before, it has missed
// the pending batch. Any other number is one that the client has acknowledged itself. A client that
// never adopted a token has the number 0 each time, and is trusted to have everything.
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

// received drops the pending batch, which the client has received.
func (o *outbox) received() {
	if l := o.load; l != nil {
		l.received = true
		o.writing += l.messages
		o.unload(l)
	}
	o.pending, o.load, o.to = nil, nil, nil
}

// written is called when an answer with the batch is no longer being written.
func (o *outbox) written(b *batch) {
	b.load.writers--
	o.unload(b.load)
}

// unload subtracts a load from the counts, if nothing needs it any more.
func (o *outbox) unload(l *load) {
	if l.received && l.writers == 0 {
		o.bytes -= l.bytes
		o.writing -= l.messages
	}
}

// messages returns the number of messages that count for MaxBufferMessages.
func (o *outbox) messages() int { return len(o.queue) + len(o.pending) + o.writing }

// fits reports whether another message of n bytes fits the bounds. A message of any size up to the
// bound fits while at most an eighth of the bound is in use, since a client with so little waiting
// is not slow.
func (o *outbox) fits(n int, l *limits) bool {
	return (n <= l.bufferBytes-o.bytes || n <= l.bufferBytes && o.bytes <= l.bufferBytes/8) && o.messages() < l.bufferMsgs
}

// push appends a message to the queue.
func (o *outbox) push(m []byte) {
	o.queue = append(o.queue, m)
	o.bytes += len(m)
}

// hand makes a batch of the queue for a poll. No batch is pending. The caller must pass it to
// written later, and that of repeat as well.
func (o *outbox) hand(to waiter) batch {
	o.handed++
	o.load = &load{messages: len(o.queue), writers: 1}
	for _, m := range o.queue {
		o.load.bytes += len(m)
	}
	// The queue becomes the pending batch as it is; later messages begin a new one.
	o.pending, o.queue, o.to = o.queue, nil, to
	return batch{o.handed, o.pending, o.load}
}

// repeat returns the pending batch. From now on its number may be known to the client, so restore
// is no longer possible.
func (o *outbox) repeat() batch {
	o.to = nil
	o.load.writers++
	return batch{o.handed, o.pending, o.load}
}

// restore undoes hand for a batch that was given only to one poll, which has written nothing of it.
func (o *outbox) restore() {
	o.queue = append(o.pending[:len(o.pending):len(o.pending)], o.queue...)
	o.pending, o.load, o.to = nil, nil, nil
	o.handed--
}

// drop drops all messages.
func (o *outbox) drop() { o.queue, o.pending, o.load, o.to, o.bytes = nil, nil, nil, nil, 0 }
