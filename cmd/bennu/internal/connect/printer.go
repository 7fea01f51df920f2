package connect

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/wire"
)

// Forms of a frame in the output.
const (
	formLine = iota // a line for people
	formRaw         // its bytes
	formJSON        // an object
)

// A printer writes frames and news, one line for each. Its methods may be called from
// any goroutine.
type printer struct {
	palette
	form  int
	all   bool // also heartbeats
	limit int  // characters of a payload; 0 is no limit
	mask  func(string) string

	mu  sync.Mutex
	out io.Writer // frames
	say io.Writer // answers to commands, and changes of the connection
	bad io.Writer // errors
}

// write writes lines that end in a line break to one of the writers.
func (p *printer) write(to *io.Writer, lines string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(*to, p.mask(lines)) // a closed pipe ends the command by a signal
}

// redirect makes w the writer for all output.
func (p *printer) redirect(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, p.say, p.bad = w, w, w
}

func (p *printer) frame(f *frame) {
	if f.heartbeat() && !p.all {
		return
	}
	switch p.form {
	case formRaw:
		text := escape(string(f.data))
		if !f.text {
			text = fmt.Sprintf("% x", f.data)
		}
		arrow := "<"
		if f.out {
			arrow = ">"
		}
		p.write(&p.out, arrow+" "+text+"\n")
	case formJSON:
		p.object(f.record())
	default:
		if !f.payload.Binary {
			f.payload.Data = []byte(p.mask(string(f.payload.Data))) // before a secret is cut in two
		}
		p.write(&p.out, f.line(p.palette, p.limit)+"\n")
	}
}

// A record is a line of --json.
type record struct {
	Time    time.Time       `json:"time"`
	Dir     string          `json:"dir"` // "in", "out", or "state" if it is not a frame
	Size    int             `json:"size,omitempty"`
	Topic   string          `json:"topic,omitempty"`
	Event   string          `json:"event,omitempty"`
	JoinRef json.RawMessage `json:"join_ref,omitempty"`
	Ref     json.RawMessage `json:"ref,omitempty"`
	Status  string          `json:"status,omitempty"`
	To      string          `json:"reply_to,omitempty"`
	Millis  float64         `json:"ms,omitempty"`
	Payload any             `json:"payload,omitempty"` // json.RawMessage of a frame
	Bytes   []byte          `json:"bytes,omitempty"`   // a payload that is not JSON, in base64
	State   string          `json:"state,omitempty"`
	Error   string          `json:"error,omitempty"`
}

func (f *frame) record() record {
	r := record{Time: f.at, Dir: "in", Size: len(f.data)}
	if f.out {
		r.Dir = "out"
	}
	if f.message == nil {
		r.Bytes, r.Error = f.data, fmt.Sprint(f.err)
		return r
	}
	r.Topic, r.Event, r.Status = f.topic(), f.message.Event, f.status
	r.JoinRef, r.Ref = refJSON(f.message.JoinRef), refJSON(f.message.Ref)
	if f.answered {
		r.To, r.Millis = f.to, millis(f.took)
	}
	switch {
	case f.payload.Binary:
		r.Bytes = f.payload.Data
	case len(f.payload.Data) > 0:
		r.Payload = json.RawMessage(f.payload.Data)
	default:
		r.Payload = json.RawMessage("{}")
	}
	return r
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func refJSON(r wire.Ref) json.RawMessage {
	if r.IsNull() {
		return nil
	}
	return r.Append(nil)
}

func (p *printer) object(r record) {
	r.Time = r.Time.UTC()
	line, err := jsontext.Append(nil, r)
	if err != nil {
		line = fmt.Appendf(nil, `{"dir":%q,"error":"a payload that is no JSON"}`, r.Dir)
	}
	p.write(&p.out, escape(string(line))+"\n")
}

// state writes an object that is not a frame, for scripts.
func (p *printer) state(word string, r record) {
	r.Time, r.Dir, r.State = time.Now(), "state", word
	p.object(r)
}

// news reports a change of the connection: as a text for people, which is escaped here, and as a
// word with r for scripts. The text ends with the error of r, if there is one.
func (p *printer) news(color, word, text string, r record) {
	if p.form == formJSON {
		p.state(word, r)
		return
	}
	if r.Error != "" {
		text += ": " + r.Error
	}
	p.write(&p.say, head(p.palette, time.Now(), "·", color)+p.paint(color, escape(text))+"\n")
}

// answer writes lines that answer a command. They must be escaped.
func (p *printer) answer(lines string) { p.write(&p.say, lines) }

// wrong writes lines about a mistake. They must be escaped.
func (p *printer) wrong(lines string) { p.write(&p.bad, lines) }

// complain writes an error.
func (p *printer) complain(format string, args ...any) {
	p.wrong("  " + p.paint(red, escape(fmt.Sprintf(format, args...))) + "\n")
}
