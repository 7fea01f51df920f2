package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// hexBytes is a text of hexadecimal digits.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func (r *run) open(name, path string, headers map[string]string, omit []string, status int) (*socket, error) {
	var extra []header
	for _, k := range slices.Sorted(maps.Keys(headers)) {
		extra = append(extra, header{k, r.fill(headers[k])})
	}
	s, err := openSocket(r.ctx, r.target, r.fill(path), extra, omit)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(r.ctx, func() { s.conn.Close() })
	r.closers = append(r.closers, func() {
		stop()
		s.conn.Close()
	})
	r.sockets[name] = s
	if s.answer.StatusCode != status {
		return nil, differStatus(s.answer.StatusCode, status, s.body)
	}
	return s, nil
}

func (r *run) ws(args []json.RawMessage) error {
	var (
		name, path string
		headers    map[string]string
		status     int
		want       map[string]*string
	)
	if err := decodeAll(args, &name, &path, &headers, &status, &want); err != nil {
		return err
	}
	s, err := r.open(name, path, headers, nil, status)
	if err != nil {
		return err
	}
	if body := want["body"]; body != nil {
		if *body != string(s.body) {
			return differ(string(s.body), *body, "got body %s, want %q", quote(s.body), *body)
		}
		delete(want, "body")
	}
	return expectHeaders(s.answer.Header, want)
}

func (r *run) wsOmit(args []json.RawMessage) error {
	var (
		name, path string
		omit       []string
		status     int
	)
	if err := decodeAll(args, &name, &path, &omit, &status); err != nil {
		return err
	}
	for i := range omit {
		omit[i] = strings.ToLower(omit[i])
	}
	_, err := r.open(name, path, nil, omit, status)
	return err
}

func (r *run) wsReplace(args []json.RawMessage) error {
	var (
		name, path string
		headers    map[string]string
		status     int
	)
	if err := decodeAll(args, &name, &path, &headers, &status); err != nil {
		return err
	}
	var omit []string
	for k := range headers {
		omit = append(omit, strings.ToLower(k))
	}
	_, err := r.open(name, path, headers, omit, status)
	return err
}

// socket is the connection of a name.
func (r *run) socket(name string) (*socket, error) {
	if s := r.sockets[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("there is no connection %q", name)
}

func (r *run) send(name string, opcode byte, payload []byte, how shape) error {
	s, err := r.socket(name)
	if err != nil {
		return err
	}
	return s.send(opcode, payload, how)
}

func (r *run) sendJSON(args []json.RawMessage) error {
	var name string
	var value json.RawMessage
	if err := decodeAll(args, &name, &value); err != nil {
		return err
	}
	// Escapes in the file are a matter of the file: the server gets plain text.
	v, err := parseJSON(value)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return r.send(name, opText, bytes.TrimSuffix(text.Bytes(), []byte("\n")), proper)
}

func (r *run) sendText(args []json.RawMessage) error {
	var name, text string
	if err := decodeAll(args, &name, &text); err != nil {
		return err
	}
	return r.send(name, opText, []byte(text), proper)
}

func (r *run) sendBinary(args []json.RawMessage) error {
	var name string
	var payload hexBytes
	if err := decodeAll(args, &name, &payload); err != nil {
		return err
	}
	return r.send(name, opBinary, payload, proper)
}

func (r *run) sendFrame(args []json.RawMessage) error {
	var (
		name    string
		opcode  byte
		payload hexBytes
		how     = proper
	)
	if err := decodeAll(args, &name, &opcode, &payload, &how); err != nil {
		return err
	}
	return r.send(name, opcode, payload, how)
}

// receive waits for a frame of one kind.
func (r *run) receive(name string, opcode byte) ([]byte, error) {
	s, err := r.socket(name)
	if err != nil {
		return nil, err
	}
	f, err := s.receive(patience)
	if errors.Is(err, errQuiet) {
		r.silent = true
		return nil, differ("nothing", opName(opcode), "nothing came in %v, want %s", patience, opName(opcode))
	}
	if err != nil {
		return nil, err
	}
	if f.gone != nil || f.opcode != opcode {
		return nil, differ(f.String(), opName(opcode), "got %s, want %s", f, opName(opcode))
	}
	return f.payload, nil
}

func (r *run) expectJSON(args []json.RawMessage) error {
	var name string
	var want json.RawMessage
	if err := decodeAll(args, &name, &want); err != nil {
		return err
	}
	text, err := r.receive(name, opText)
	if err != nil {
		return wanted(err, string(want), ": %s", want)
	}
	w, err := parseJSON(want)
	if err != nil {
		return err
	}
	got, err := parseJSON(text)
	if err != nil {
		return err
	}
	if !match(w, got) {
		return differ(string(text), string(want), "got %s, want %s", quote(text), want)
	}
	return nil
}

func (r *run) expectText(args []json.RawMessage) error {
	var name, want string
	if err := decodeAll(args, &name, &want); err != nil {
		return err
	}
	got, err := r.receive(name, opText)
	if err == nil && string(got) != want {
		err = differ(string(got), want, "got %s, want %q", quote(got), want)
	}
	return err
}

func (r *run) expectBytes(opcode byte, args []json.RawMessage) error {
	var name string
	var want hexBytes
	if err := decodeAll(args, &name, &want); err != nil {
		return err
	}
	got, err := r.receive(name, opcode)
	if err == nil && !bytes.Equal(got, want) {
		err = differ(fmt.Sprintf("%x", got), fmt.Sprintf("%x", []byte(want)), "got %x, want %x", got, []byte(want))
	}
	return err
}

func (r *run) expectClose(args []json.RawMessage) error {
	var name string
	var want uint16
	if err := decodeAll(args, &name, &want); err != nil {
		return err
	}
	body, err := r.receive(name, opClose)
	if err != nil {
		return wanted(err, fmt.Sprintf("close %d", want), " %d", want)
	}
	if len(body) < 2 || binary.BigEndian.Uint16(body) != want {
		got := frame{opcode: opClose, payload: body}.String()
		return differ(got, fmt.Sprintf("close %d", want), "got %s, want close %d", got, want)
	}
	return nil
}

func (r *run) expectNothing(args []json.RawMessage) error {
	var name string
	var ms int
	if err := decodeAll(args, &name, &ms); err != nil {
		return err
	}
	s, err := r.socket(name)
	if err != nil {
		return err
	}
	f, err := s.receive(time.Duration(ms) * time.Millisecond)
	if errors.Is(err, errQuiet) {
		return nil
	}
	if err == nil {
		err = differ(f.String(), "nothing", "got %s, want nothing", f)
	}
	return err
}

func (r *run) wait(args []json.RawMessage) error {
	var ms int
	if err := decodeAll(args, &ms); err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		r.waited += time.Duration(ms) * time.Millisecond
		r.late = r.late || r.isLate()
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
