package bennu

import "errors"

// verdict is the meaning of an error that a handler returned.
type verdict uint8

const (
	verdictOther      verdict = iota // the channel goes on; the error is replied or logged
	verdictStop                      // the channel ends in order
	verdictCrash                     // the channel ends as a crash
	verdictUnknown                   // the event has no handler, and the channel ends as a crash
	verdictDisconnect                // the connection closes
)

// verdictOf returns the verdict of an error that is not nil, and its Disconnect for a
// verdictDisconnect. Stop and Crash come first, because an *Error that is joined with them is only
// the reply.
func verdictOf(err error) (verdict, Disconnect) {
	switch {
	case errors.Is(err, Stop):
		return verdictStop, Disconnect{}
	case errors.Is(err, Crash):
		return verdictCrash, Disconnect{}
	case errors.Is(err, ErrUnknownEvent):
		return verdictUnknown, Disconnect{}
	}
	return verdictOfJoin(err)
}

// verdictOfJoin is verdictOf for the error of a Join, in which Stop, Crash and ErrUnknownEvent have
// no meaning: there is no channel yet.
func verdictOfJoin(err error) (verdict, Disconnect) {
	if d, ok := asDisconnect(err); ok {
		return verdictDisconnect, d
	}
	return verdictOther, Disconnect{}
}
