package bennu

import "github.com/bennu-go/bennu/wire"

// turn is the state of a socket while a join runs. The goroutine that handles the frames of a
// connection has the turn: the one that reads, or while a join runs that of the join. So frames are
// handled one at a time, in the order in which they came. The connection reads on meanwhile, and so
// still answers pings; the goroutine of the join handles what was read when the join is over. The
// socket's lock guards the fields.
type turn struct {
	inbox   inbox         // the frames that wait behind the join
	taken   int           // the frames that have left the inbox
	over    chan struct{} // closed when no frame waits and the turn ends; made on demand
	joining *joinCall     // the join that runs; nil between two joins
}

// handleInTurn handles a frame, or puts it into the inbox while a join runs. The connection must
// not read on before resume is closed; nil means that it need not wait.
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

// startJoin runs a join in a goroutine, which gets the turn.
func (s *Socket) startJoin(call *joinCall) {
	s.mu.Lock()
	s.turn = new(turn)
	s.mu.Unlock()
	s.retain()
	s.node.tasks.Go(func() { s.runJoins(call) })
}

// runJoins carries out a join, then handles the frames behind it, until none waits or another
// goroutine has the turn.
func (s *Socket) runJoins(call *joinCall) {
	for call != nil && call.run() {
		call = s.nextJoin()
	}
}

// nextJoin handles the frames of the inbox up to the next join, which it returns. When no frame is
// left it ends the turn and returns nil.
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
		s.turn.taken++
		s.mu.Unlock()
		call, resume := s.handle(f.op, f.data)
		if call != nil {
			return call
		}
		if resume != nil {
			<-resume // closed at the latest when the channel with the full mailbox ends
		}
	}
}
