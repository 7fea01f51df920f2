package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/testport"
)

// scripted serves what the cases below need: /echo sends frames back as they came;
// on a text frame that says so it does something else.
func scripted(t *testing.T) (target string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /echo", serveEcho)
	mux.HandleFunc("GET /refuse", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Too many", http.StatusTooManyRequests)
	})
	mux.HandleFunc("/http", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", r.Header.Get("X-Send"))
		json.NewEncoder(w).Encode(map[string]any{
			"method": r.Method, "length": len(body), "body": string(body[:min(len(body), 20)]), "query": r.URL.RawQuery,
			"token": r.Header.Get("X-Token") + "t", "messages": []string{`["a",1]`, `{}`}, "none": nil,
		})
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	gate := make(chan struct{})
	mux.HandleFunc("GET /gate", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
			io.WriteString(w, `{"opened":true}`)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("POST /gate", func(w http.ResponseWriter, r *http.Request) { gate <- struct{}{} })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func serveEcho(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-Websocket-Version") != "13" {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nX-Origin: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]), r.Header.Get("Origin"))
	for {
		first, payload, masked, err := readClientFrame(rw.Reader)
		if err != nil {
			return
		}
		switch text := string(payload); {
		case !masked:
			conn.Write([]byte{0x88, 2, 0x03, 0xea}) // 1002
			return
		case text == "close":
			conn.Write([]byte{0x88, 2, 0x03, 0xf4}) // 1012
			return
		case text == "cut":
			return
		case text == "bare close":
			conn.Write([]byte{0x88, 0})
			return
		case text == "quiet":
		case text == "bad text":
			conn.Write([]byte{0x81, 1, 0xff})
		case text == "fragment":
			conn.Write([]byte{0x01, 1, 'a'})
		case first&15 == opPing:
			conn.Write(append([]byte{0x80 | opPong, byte(len(payload))}, payload...))
		default:
			conn.Write(serverFrame(first&0x8f|0x80, payload))
		}
	}
}

func serverFrame(first byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		return append([]byte{first, byte(n)}, payload...)
	case n < 1<<16:
		return append(binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n)), payload...)
	default:
		return append(binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n)), payload...)
	}
}

func readClientFrame(r *bufio.Reader) (first byte, payload []byte, masked bool, err error) {
	var h [2]byte
	if _, err = io.ReadFull(r, h[:]); err != nil {
		return
	}
	n := uint64(h[1] & 0x7f)
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(r, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(r, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	var key [4]byte
	if masked = h[1]&0x80 != 0; masked && err == nil {
		_, err = io.ReadFull(r, key[:])
	}
	if err != nil {
		return
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return h[0], payload, masked, err
}

func TestRun(t *testing.T) {
	target := scripted(t)
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name, steps string
		fails       string // text that the error must have; empty: the case passes
	}{
		{"upgrade", `[["ws","A","/echo",{},101,{"upgrade":"websocket","sec-websocket-accept":"<rfc6455>"}]]`, ""},
		{"header sent", `[["ws","A","/echo",{"Origin":"http://a:$PORT"},101,{"x-origin":"http://a:` + target[strings.LastIndexByte(target, ':')+1:] + `"}]]`, ""},
		{"header differs", `[["ws","A","/echo",{},101,{"upgrade":"carrier pigeon"}]]`, `got header upgrade: ["websocket"]`},
		{"header missing", `[["ws","A","/echo",{},101,{"x-missing":"<rfc6455>"}]]`, "no header x-missing"},
		{"no such header", `[["ws","A","/echo",{},101,{"x-missing":null}]]`, ""},
		{"header not wanted", `[["ws","A","/echo",{},101,{"upgrade":null}]]`, `got header upgrade: ["websocket"], want none`},
		{"status differs", `[["ws","A","/refuse",{},101,{}]]`, "got status 429, want 101"},
		{"refused", `[["ws","A","/refuse",{},429,{"body":"Too many\n"}]]`, ""},
		{"refused with another body", `[["ws","A","/refuse",{},429,{"body":"no"}]]`, `got body "Too many\n"`},
		{"omit", `[["wsomit","A","/echo",["sec-websocket-version"],400]]`, ""},
		{"omit fails", `[["wsomit","A","/echo",["upgrade"],400]]`, "got status 101"},
		{"replace", `[["wshdr","A","/echo",{"Connection":"close"},400]]`, ""},
		{"json", `[["ws","A","/echo",{},101,{}],["tx","A",["ü<&>",1.0,{"a":null}]],["rx","A",["ü<&>",1.0,{"a":null}]]]`, ""},
		{"json differs", `[["ws","A","/echo",{},101,{}],["tx","A",[1]],["rx","A",[2]]]`, `step 3, rx: got "[1]", want [2]`},
		{"text", `[["ws","A","/echo",{},101,{}],["raw","A"," {} "],["rxexact","A"," {} "]]`, ""},
		{"text differs", `[["ws","A","/echo",{},101,{}],["raw","A"," {} "],["rxexact","A","{}"]]`, `want "{}"`},
		{"no json", `[["ws","A","/echo",{},101,{}],["raw","A","{"],["rx","A",{}]]`, "unexpected EOF"},
		{"long text", `[["ws","A","/echo",{},101,{}],["raw","A","` + long + `"],["rxexact","A","` + long + `"]]`, ""},
		{"middling text", `[["ws","A","/echo",{},101,{}],["raw","A","` + long[:300] + `"],["rxexact","A","` + long[:300] + `"]]`, ""},
		{"binary", `[["ws","A","/echo",{},101,{}],["txb","A","00ff"],["rxb","A","00ff"]]`, ""},
		{"binary differs", `[["ws","A","/echo",{},101,{}],["txb","A","00ff"],["rxb","A","00"]]`, "got 00ff, want 00"},
		{"kind differs", `[["ws","A","/echo",{},101,{}],["txb","A","00ff"],["rx","A",0]]`, "got binary 00ff, want text"},
		{"pong", `[["ws","A","/echo",{},101,{}],["frame","A",9,"6d",{}],["pong","A","6d"]]`, ""},
		{"wrong frame", `[["ws","A","/echo",{},101,{}],["frame","A",1,"78",{"mask":false}],["close","A",1002]]`, ""},
		{"close", `[["ws","A","/echo",{},101,{}],["raw","A","close"],["close","A",1012]]`, ""},
		{"close differs", `[["ws","A","/echo",{},101,{}],["raw","A","close"],["close","A",1000]]`, `got close 1012 "", want close 1000`},
		{"close without a code", `[["ws","A","/echo",{},101,{}],["raw","A","bare close"],["close","A",1000]]`, "want close 1000"},
		{"cut", `[["ws","A","/echo",{},101,{}],["raw","A","cut"],["close","A",1000]]`, "got the end of the connection"},
		{"nothing", `[["ws","A","/echo",{},101,{}],["raw","A","quiet"],["none","A",20],["tx","A",1],["rx","A",1]]`, ""},
		{"something", `[["ws","A","/echo",{},101,{}],["tx","A",1],["none","A",5000]]`, `got text "1", want nothing`},
		{"nothing, since it is gone", `[["ws","A","/echo",{},101,{}],["raw","A","cut"],["none","A",5000]]`, "want nothing"},
		{"bad text", `[["ws","A","/echo",{},101,{}],["raw","A","bad text"],["rx","A",1]]`, "not UTF-8"},
		{"fragment", `[["ws","A","/echo",{},101,{}],["raw","A","fragment"],["rx","A",1]]`, "whole, unmasked frames"},
		{"two connections", `[["ws","A","/echo",{},101,{}],["ws","B","/echo",{},101,{}],["tx","A",1],["tx","B",2],["rx","B",2],["rx","A",1]]`, ""},
		{"name taken again", `[["ws","A","/echo",{},101,{}],["tx","A",1],["ws","A","/echo",{},101,{}],["tx","A",2],["rx","A",2]]`, ""},
		{"wait", `[["wait",1]]`, ""},
		{"http", `[["http","POST","/http?a=b",{"X-Send":"s"},"hello",{"status":200,"headers":{"x-got":"s"},"json":{"method":"POST","body":"hello","query":"a=b"}}]]`, ""},
		{"http without a body", `[["http","GET","/http",{},null,{"status":200,"json":{"length":0}}]]`, ""},
		{"http with a body repeated", `[["http","PUT","/http",{},{"repeat":["ab",1000]},{"status":200,"json":{"length":2000}}]]`, ""},
		{"http answered before the body", `[["http","POST","/early",{},{"repeat":["x",8100000]},{"status":413,"body":""}]]`, ""},
		{"http status differs", `[["http","GET","/none",{},null,{"status":200}]]`, "got status 404, want 200"},
		{"http value differs", `[["http","GET","/http",{},null,{"status":200,"json":{"method":"PUT"}}]]`, "method: got GET, want PUT"},
		{"http value missing", `[["http","GET","/http",{},null,{"status":200,"json":{"none":"*"}}]]`, "none: got <nil>"},
		{"http exact", `[["http","GET","/http",{},null,{"status":200,"exact":{}}]]`, "want {}"},
		{"messages", `[["http","GET","/http",{},null,{"status":200,"json":{"messages":[["json",["a",1]],["json",{}]]}}]]`, ""},
		{"messages differ", `[["http","GET","/http",{},null,{"status":200,"json":{"messages":[["json",["a",1]],["json",[]]]}}]]`, "message 1"},
		{"messages missing", `[["http","GET","/http",{},null,{"status":200,"json":{"messages":[]}}]]`, "messages: got"},
		{"keep", `[["http","GET","/http",{},null,{"status":200,"json":{"token":"$save:x"}}],["http","GET","/http",{"X-Token":"$x"},null,{"status":200,"json":{"token":"tt"}}],
			["http","GET","/http?$x",{},"$x",{"status":200,"json":{"token":"$x","query":"t","body":"t"}}]]`, ""},
		{"not new", `[["http","GET","/http",{},null,{"status":200,"json":{"token":"$save:x"}}],["http","GET","/http",{},null,{"status":200,"json":{"token":"$not:x"}}]]`, "is not new"},
		{"new", `[["http","GET","/http",{},null,{"status":200,"json":{"token":"$save:x"}}],["http","GET","/http",{"X-Token":"$x"},null,{"status":200,"json":{"token":"$not:x"}}]]`, ""},
		{"never kept", `[["http","GET","/http",{},null,{"status":200,"json":{"token":"$x"}}]]`, "keeps no x"},
		{"request left open", `[["bghttp","p","GET","/gate",{},null],["http","POST","/gate",{},null,{"status":200}],["await","p",{"status":200,"exact":{"opened":true}}]]`, ""},
		{"request never awaited", `[["bghttp","p","GET","/hang",{},null]]`, ""},
		{"unknown request", `[["await","p",{"status":200}]]`, `no request "p"`},
		{"unknown verb", `[["dance"]]`, `no verb "dance"`},
		{"unknown connection", `[["tx","A",1]]`, `no connection "A"`},
		{"too few arguments", `[["tx","A"]]`, "has 1 arguments, want 2"},
		{"wrong argument", `[["wait","long"]]`, "argument 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Case{ID: "XX-01", Given: tt.name}
			if err := json.Unmarshal([]byte(tt.steps), &c.Steps); err != nil {
				t.Fatal(err)
			}
			err := Run(t.Context(), target, c)
			switch {
			case tt.fails == "" && err != nil:
				t.Error(err)
			case tt.fails != "" && err == nil:
				t.Errorf("passes, want an error with %q", tt.fails)
			case tt.fails != "" && !strings.Contains(err.Error(), tt.fails):
				t.Errorf("got %q, want %q in it", err, tt.fails)
			}
		})
	}
}

// What came and what should have come can be had without reading the text.
func TestFailure(t *testing.T) {
	target := scripted(t)
	tests := []struct{ name, steps, verb, got, want string }{
		{"json", `[["ws","A","/echo",{},101,{}],["tx","A",{"a":[1]}],["rx","A",{"a":[2]}]]`, "rx", `{"a":[1]}`, `{"a":[2]}`},
		{"text", `[["ws","A","/echo",{},101,{}],["raw","A"," {} "],["rxexact","A","{}"]]`, "rxexact", " {} ", "{}"},
		{"binary", `[["ws","A","/echo",{},101,{}],["txb","A","00ff"],["rxb","A","00"]]`, "rxb", "00ff", "00"},
		{"kind", `[["ws","A","/echo",{},101,{}],["txb","A","00ff"],["rx","A",[0]]]`, "rx", "binary 00ff", "[0]"},
		{"close", `[["ws","A","/echo",{},101,{}],["raw","A","close"],["close","A",1000]]`, "close", `close 1012 ""`, "close 1000"},
		{"no close", `[["ws","A","/echo",{},101,{}],["raw","A","x"],["close","A",1000]]`, "close", `text "x"`, "close 1000"},
		{"something", `[["ws","A","/echo",{},101,{}],["tx","A",1],["none","A",5000]]`, "none", `text "1"`, "nothing"},
		{"upgrade", `[["ws","A","/refuse",{},101,{}]]`, "ws", "status 429", "status 101"},
		{"body of an upgrade", `[["ws","A","/refuse",{},429,{"body":"no"}]]`, "ws", "Too many\n", "no"},
		{"header", `[["ws","A","/echo",{},101,{"upgrade":"h2c"}]]`, "ws", "upgrade: websocket", "upgrade: h2c"},
		{"header missing", `[["ws","A","/echo",{},101,{"via":"x"}]]`, "ws", "via: none", "via: x"},
		{"header too many", `[["ws","A","/echo",{},101,{"upgrade":null}]]`, "ws", "upgrade: websocket", "upgrade: none"},
		{"status", `[["http","GET","/none",{},null,{"status":200}]]`, "http", "status 404", "status 200"},
		{"body", `[["http","POST","/early",{},null,{"status":413,"body":"x"}]]`, "http", "", "x"},
		{"value", `[["http","GET","/http",{},null,{"status":200,"json":{"method":"PUT"}}]]`, "http", `{"method":"GET"}`, `{"method":"PUT"}`},
		{"messages", `[["http","GET","/http",{},null,{"status":200,"json":{"messages":[["json",["a",1]],["json",[]]]}}]]`, "http", `{}`, `[]`},
		{"a case that is wrong", `[["wait","long"]]`, "wait", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Case{ID: "XX-01"}
			if err := json.Unmarshal([]byte(tt.steps), &c.Steps); err != nil {
				t.Fatal(err)
			}
			var f *Failure
			if err := Run(t.Context(), target, c); !errors.As(err, &f) {
				t.Fatalf("got %v", err)
			}
			if f.Case != c.ID || f.Step != len(c.Steps) || f.Verb != tt.verb || f.Got != tt.got || f.Want != tt.want {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestRunWithoutServer(t *testing.T) {
	var c Case
	if err := json.Unmarshal([]byte(`{"id":"XX-01","steps":[["ws","A","/",{},101,{}]]}`), &c); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), testport.Addr(t), c); err == nil {
		t.Error("passes without a server")
	}
	if err := Run(t.Context(), "no port", c); err == nil {
		t.Error("takes a target without a port")
	}
}

// TestRunLate plays a case again that was late and failed, and no other one.
func TestRunLate(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			time.Sleep(2 * lateness) // the fault under test: an answer that comes late
		}
		fmt.Fprintf(w, `{"asked":%d}`, asked)
	}))
	defer srv.Close()
	var c Case
	if err := json.Unmarshal([]byte(`{"id":"XX-01","steps":[["http","GET","/",{},null,{"status":200}],["wait",1],["http","GET","/",{},null,{"status":200,"json":{"asked":4}}]]}`), &c); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), srv.Listener.Addr().String(), c); err != nil {
		t.Errorf("a late case is not played again: %v", err)
	}
	c.Steps = c.Steps[2:] // without a wait nothing can be late
	if err := Run(t.Context(), srv.Listener.Addr().String(), c); err == nil || asked != 5 {
		t.Errorf("%v, after %d requests", err, asked)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	defer srv.Close()
	var c Case
	if err := json.Unmarshal([]byte(`{"id":"XX-01","steps":[["bghttp","p","GET","/",{},null],["await","p",{"status":200}]]}`), &c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Run(ctx, srv.Listener.Addr().String(), c) }()
	<-arrived
	cancel()
	if err := <-done; err == nil {
		t.Error("passes after its context ended")
	}
}

func TestStep(t *testing.T) {
	for _, bad := range []string{`{}`, `[]`, `[1]`, `null x`} {
		if err := json.Unmarshal([]byte(bad), new(Step)); err == nil {
			t.Errorf("%s is taken for a step", bad)
		}
	}
}

func TestServerFrames(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte{'a'}, n)
		server, client := net.Pipe()
		go func() {
			server.Write(serverFrame(0x81, payload))
			server.Close()
		}()
		s := &socket{conn: client, r: bufio.NewReader(client)}
		f, err := s.receive(patience)
		if err != nil || f.gone != nil || !bytes.Equal(f.payload, payload) {
			t.Errorf("%d bytes: %v, %v", n, f, err)
		}
		if f, err := s.receive(patience); err != nil || f.gone == nil {
			t.Errorf("after the end: %v, %v", f, err)
		}
		client.Close()
	}
}
