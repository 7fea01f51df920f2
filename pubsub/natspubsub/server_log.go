package natspubsub

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// serverLog is the logger of the server. Routine lines, which interest only operators of NATS, are logged
// at level debug. The server uses the same levels for routine and for trouble, so complain tells them apart
// by their text.
type serverLog struct {
	log  *slog.Logger
	book *notice.Book

	mu      sync.Mutex
	fatal   string    // the reason of a failed start
	refused time.Time // of the last line about a refused peer
}

func newServerLog(log *slog.Logger) *serverLog {
	book := notice.NewBook(log)
	return &serverLog{log: slog.New(book.Log().HandlerOf("embedded NATS")), book: book}
}

func (s *serverLog) debug(text string) { s.log.Debug("embedded NATS: " + text) }

// last returns the reason why the server did not start, which is only in its log: the server returns no
// error.
func (s *serverLog) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == "" {
		return "the server has logged no reason"
	}
	return s.fatal
}

// Noticef implements server.Logger.
func (s *serverLog) Noticef(format string, v ...any) { s.debug(fmt.Sprintf(format, v...)) }

// Warnf implements server.Logger.
func (s *serverLog) Warnf(format string, v ...any) { s.complain(format, v) }

// Errorf implements server.Logger.
func (s *serverLog) Errorf(format string, v ...any) { s.complain(format, v) }

// routine has the beginnings of warnings that are normal here: about the password of the client in this
// process, and about peers that are not running yet.
var routine = []string{"Plaintext passwords detected", "Error trying to connect to route"}

// refusals has parts of the lines that two servers with different passwords log: the server that refuses,
// and the one that is refused.
var refusals = []string{"authentication error", "Authorization Violation"}

// refusedPause is the time between two lines about refused peers, which try again every second.
const refusedPause = time.Minute

// unlike reports whether a text is about a peer with another secret. It logs or counts those.
func (s *serverLog) unlike(text string) bool {
	if !slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(text, r) }) {
		return false
	}
	s.mu.Lock()
	now := time.Now()
	due := s.refused.IsZero() || now.Sub(s.refused) > refusedPause
	if due {
		s.refused = now
	}
	s.mu.Unlock()
	if due {
		s.book.Say(notice.PeerSecret, slog.String("error", text))
	} else {
		s.book.Tally(notice.PeerSecret)
	}
	return true
}

// complain logs a warning or an error of the server. The goroutines of the server call it, perhaps several
// at once.
func (s *serverLog) complain(format string, v []any) {
	text := fmt.Sprintf(format, v...)
	switch {
	case s.unlike(text):
	case slices.ContainsFunc(routine, func(begin string) bool { return strings.HasPrefix(format, begin) }):
		s.debug(text)
	default:
		s.book.Say(notice.EmbeddedServer, slog.String("error", text))
	}
}

// Fatalf implements server.Logger. It does not end the process, as the logger of NATS would.
func (s *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	s.mu.Lock()
	s.fatal = text
	s.mu.Unlock()
	s.book.Say(notice.EmbeddedServer, slog.String("error", text))
}

// Debugf implements server.Logger.
func (s *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (s *serverLog) Tracef(string, ...any) {}
