package connect

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// What is printed of a frame.
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
	all   bool // heartbeats too
	limit int  // characters of a payload; 0 is no limit
	mask  func(string) string

	mu   sync.Mutex
	out  io.Writer
	news io.Writer // where lines go that are no frames: out, or standard error
}

// write writes lines that end in a line break.
func (p *printer) write(frame bool, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.news
	if frame {
		w = p.out
	}
	_, _ = io.WriteString(w, p.mask(line)) // who does not read any more ends the command by a signal
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
		p.write(true, arrow+" "+text+"\n")
	case formJSON:
		p.object(f.record())
	default:
		p.write(true, f.line(p.palette, p.limit)+"\n")
	}
}

// A record is a line of --json.
type record struct {
	Time    time.Time       `json:"time"`
	Dir     string          `json:"dir"` // "in", "out", or "state" for what is no frame
	Size    int             `json:"size,omitempty"`
	Topic   string          `json:"topic,omitempty"`
	Event   string          `json:"event,omitempty"`
	JoinRef json.RawMessage `json:"join_ref,omitempty"`
	Ref     json.RawMessage `json:"ref,omitempty"`
	Status  string          `json:"status,omitempty"`
	To      string          `json:"reply_to,omitempty"`
	Millis  float64         `json:"ms,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Bytes   []byte          `json:"bytes,omitempty"` // a payload that is no JSON, in base64
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
		r.To, r.Millis = f.to, float64(f.took.Microseconds())/1000
	}
	switch {
	case f.payload.Binary:
		r.Bytes = f.payload.Data
	case len(f.payload.Data) > 0:
		r.Payload = f.payload.Data
	default:
		r.Payload = json.RawMessage("{}")
	}
	return r
}

func refJSON(r wire.Ref) json.RawMessage {
	if r.IsNull() {
		return nil
	}
	return r.Append(nil)
}

func (p *printer) object(r record) {
	r.Time = r.Time.UTC()
	line, err := wire.AppendJSON(nil, r)
	if err != nil {
		line = fmt.Appendf(nil, `{"dir":%q,"error":"a payload that is no JSON"}`, r.Dir)
	}
	p.write(true, escape(string(line))+"\n")
}

// state tells what became of the connection: a word for scripts, and a text for people,
// which is escaped here.
func (p *printer) state(color, word, text string, err string) {
	now := time.Now()
	if p.form == formJSON {
		p.object(record{Time: now, Dir: "state", State: word, Error: err})
		return
	}
	if err != "" {
		text += ": " + err
	}
	p.write(false, head(p.palette, now, "·", color)+p.paint(color, escape(text))+"\n")
}

// say writes lines for people that answer a command. Their text is fit to be shown.
func (p *printer) say(text string) {
	if text != "" {
		p.write(false, text)
	}
}

// complain says what is wrong with what was asked for.
func (p *printer) complain(format string, args ...any) {
	p.say("  " + p.paint(red, escape(fmt.Sprintf(format, args...))) + "\n")
}
