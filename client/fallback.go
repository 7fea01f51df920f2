package client

import (
	"errors"
	"fmt"
)

// maxCuts is the number of WebSockets in a row that may be cut before they have settled. After it, a
// socket with a fallback tries long polling.
const maxCuts = 3

// fallback chooses the transport of the next attempt. Only run uses it.
type fallback struct {
	last   string // the transport of the latest attempt
	now    bool   // the next attempt is by long polling, without a delay
	always bool   // all further attempts are by long polling
	worked bool   // a WebSocket has answered a heartbeat
	cuts   int    // WebSockets that were cut before they had settled, since one that had
}

// note decides, after a connection that was open has ended, whether the next attempt falls back. A
// close frame is no reason to fall back: it proves that frames get through.
func (f *fallback) note(l *link, err error, lasted bool) {
	var closed *CloseError
	cut := !errors.As(err, &closed)
	switch {
	case !l.probing: // there is no fallback, or this was long polling
	case lasted:
		f.cuts = 0
	case cut:
		f.cuts++
	}
	f.now = errors.Is(err, errNoProbe) || l.probing && cut && (f.cuts >= maxCuts || !l.heard)
	if l.transport == webSocket && l.beat.answered {
		f.worked = true
	}
}

// errNoProbe is the error of a WebSocket that opened and did not answer its first heartbeat.
var errNoProbe = fmt.Errorf("%w: a WebSocket that opened does not carry messages", ErrHeartbeat)
