package bench

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// maxResponse bounds the server's answer to the upgrade.
const maxResponse = 16 << 10

// UpgradeError is an answer to the WebSocket upgrade other than a valid 101.
type UpgradeError struct {
	Status int    // of HTTP; 0 if the answer is not HTTP
	Reason string // what is wrong with it
}

// Error implements error.
func (e *UpgradeError) Error() string {
	if e.Status == 404 {
		return "the upgrade failed: " + e.Reason + "; there may be no socket at this path, as a rule it is /socket"
	}
	return "the upgrade failed: " + e.Reason
}

// Busy reports whether the server asks to try again later.
func (e *UpgradeError) Busy() bool { return e.Status == 503 || e.Status == 429 }

// handshake has the request of every connection, and the key that its answer must contain.
type handshake struct {
	request []byte
	accept  string
}

func newHandshake(t *target, nonce [16]byte) *handshake {
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return &handshake{
		request: []byte("GET " + t.path + " HTTP/1.1\r\nHost: " + t.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\nUser-Agent: bennu-bench\r\n\r\n"),
		accept: base64.StdEncoding.EncodeToString(sum[:]),
	}
}

// check reads an answer and returns its length, or 0 if it is not complete.
func (h *handshake) check(answer []byte) (n int, err error) {
	end := bytes.Index(answer, []byte("\r\n\r\n"))
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 "[:min(len(answer), 9)])) {
		return 0, &UpgradeError{Reason: fmt.Sprintf("the answer is no HTTP/1.1, it begins with %q", printable(answer[:min(len(answer), 24)]))}
	}
	if end < 0 {
		if len(answer) > maxResponse {
			return 0, &UpgradeError{Reason: fmt.Sprintf("the answer has more than %d bytes of headers", maxResponse)}
		}
		return 0, nil
	}
	lines := strings.Split(string(answer[:end]), "\r\n")
	status, _ := strconv.Atoi(lines[0][9:min(len(lines[0]), 12)])
	if status != 101 {
		return 0, &UpgradeError{Status: status, Reason: "the answer is " + printable([]byte(strings.TrimPrefix(lines[0], "HTTP/1.1 ")))}
	}
	var upgrade, accept, extensions string
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "upgrade":
			upgrade = value
		case "sec-websocket-accept":
			accept = value
		case "sec-websocket-extensions":
			extensions = value
		}
	}
	switch {
	case !strings.EqualFold(upgrade, "websocket"):
		err = &UpgradeError{Status: status, Reason: "the answer is 101 without Upgrade: websocket"}
	case accept != h.accept:
		err = &UpgradeError{Status: status, Reason: "Sec-WebSocket-Accept does not fit the key"}
	case extensions != "":
		err = &UpgradeError{Status: status, Reason: "the server turned on an extension that was not asked for"}
	}
	return end + 4, err
}
