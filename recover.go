package bennu

import (
	"log/slog"
	"net/http"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/seam"
)

// serve lets a mount answer a request. A panic in what it asks of the program, and
// runtime.Goexit, answer 500.
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

// fallBack lets the Fallback answer a request. A panic of its answers 500 if it has not
// begun to answer, and ends the connection: half an answer must not look like a whole one.
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

// crashAttrs makes the attributes of a line about the panic of a request: attrs, the address,
// the panic and the stack. The panic of http.ErrAbortHandler passes.
func crashAttrs(r *http.Request, v any, attrs ...slog.Attr) []slog.Attr {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	params, _ := seam.ParseQuery(r.URL.RawQuery) // a panic may quote what is in it
	return append(attrs, notice.Foreign("address", notice.Address(r)),
		slog.Any("panic", redact.KnownPanic(v, nil, params)), redact.StackAttr())
}

// answerCrash answers 500, and has the connection closed.
func answerCrash(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusInternalServerError)
	_ = http.NewResponseController(w).Flush() // nobody else does after a Goexit
}
