package bennu

import (
	"log/slog"
	"net/http"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/seam"
)

// serve lets a mount answer a request. A panic or runtime.Goexit in a function of the program that
// the mount calls is logged and answered with 500.
func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request, m *mount, vars map[string]string) {
	returned := false
	defer func() {
		if returned {
			return
		}
		e.book.Say(notice.RequestCrash, crashAttrs(r, recover(), slog.String("mount", m.host.Path), slog.String("transport", m.host.Name))...)
		answerCrash(w)
	}()
	m.serve(w, e.admission.identify(r), vars)
	returned = true
}

// fallBack lets the Fallback answer a request. If it panics, the answer is 500 unless it has begun
// one, and the connection is closed: half an answer must not look complete.
func (e *Endpoint) fallBack(w http.ResponseWriter, r *http.Request) {
	returned := false
	defer func() {
		if returned {
			return
		}
		e.book.Say(notice.FallbackCrash, crashAttrs(r, recover(), notice.Foreign("path", r.URL.Path))...)
		answerCrash(w)
		panic(http.ErrAbortHandler)
	}()
	e.options.Fallback.ServeHTTP(w, r)
	returned = true
}

// crashAttrs returns the attributes of a log line about a request that panicked with v: attrs, the
// address, the panic and the stack. If v is http.ErrAbortHandler, it panics with v again.
func crashAttrs(r *http.Request, v any, attrs ...slog.Attr) []slog.Attr {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	params, _ := seam.ParseQuery(r.URL.RawQuery) // the panic may quote them, and they may be secret
	return append(attrs, notice.Foreign("address", notice.Address(r)),
		slog.Any("panic", redact.KnownPanic(v, nil, params)), redact.StackAttr())
}

// answerCrash answers 500 and closes the connection.
func answerCrash(w http.ResponseWriter) {
	// A request that panicked may not have read its body, which would be read as the next request.
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusInternalServerError)
	seam.Flush(w) // after runtime.Goexit net/http does not
}
