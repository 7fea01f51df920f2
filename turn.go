package bennu

import "github.com/bennu-go/bennu/wire"

// turn is what a socket has while a join runs. The goroutine of the join has the turn of the
// connection: it handles the frames behind the join when that has an outcome, so that all frames
// are handled in the order in which they came. The connection goes on reading meanwhile, and so
// still answers pings.
type turn struct {
	inbox   inbox         // the frames behind the join
	over    chan struct{} // closed when the turn is given back; made on demand
	joining *joinCall
}

// handleInTurn handles a frame, or keeps it while a join has the turn.
func (s *Socket) handleInTurn(op wire.Opcode, data []byte) (resume <-chan struct{}) {
	s.mu.Lock()
	if s.turn != nil {
		defer s.mu.Unlock()
		return s.turn.inbox.push(op, data)
	}
	s.mu.Unlock()
	call, resume := s.handle(op, data)
	if call != nil {
		s.startJoin(call)
	}
	return resume
}

// startJoin gives the turn to a join, in a goroutine of its own.
func (s *Socket) startJoin(call *joinCall) {
	s.mu.Lock()
	s.turn = new(turn)
	s.mu.Unlock()
	s.retain()
	s.node.tasks.Go(func() { s.runJoins(call) })
}

// runJoins carries out a join, then what waited behind it, until nothing waits or another
// goroutine has the turn.
func (s *Socket) runJoins(call *joinCall) {
	for call != nil && call.run() {
		call = s.nextJoin()
	}
}

// nextJoin handles the frames that waited up to the next join. When none is left it gives the
// turn back.
func (s *Socket) nextJoin() *joinCall {
	for {
		s.mu.Lock()
		s.turn.joining = nil
		f, ok := s.turn.inbox.pop()
		if !ok {
			if s.turn.over != nil {
				close(s.turn.over)
			}
			s.turn = nil
			s.mu.Unlock()
			s.release()
			return nil
		}
		s.mu.Unlock()
		call, resume := s.handle(f.op, f.data)
		if call != nil {
			return call
		}
		if resume != nil {
			<-resume // closed at the latest when that channel ends
		}
	}
}
