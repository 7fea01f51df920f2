package transporttest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var outgoing = []check{
	{
		name: "out/order",
		law:  "a client gets all frames in their order, none lost, none twice",
		body: func(s *suite) {
			s.start(setup{link: transport.LinkOptions{MaxQueueMessages: bennu.Unlimited, MaxQueueBytes: bennu.Unlimited}})
			c, p := s.connect()
			texts := numberedAll(sized(1000))
			for i, t := range texts {
				if !p.send(s.kind(i), []byte(t)) {
					s.Fatalf("frame %d was not taken, without a bound on the queue", i)
				}
			}
			for i, t := range texts {
				if op, data := c.next(); op != s.kind(i) || string(data) != t {
					s.Fatalf("frame %d arrived as %s", i, shown(op, data))
				}
			}
			p.sendAll(text("last"))
			c.want(text("last"))
		},
	},
	{
		name: "out/kinds",
		law:  "frames arrive as they are, whatever their length; of text no more may change than whitespace of JSON",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			all := []message{
				{wire.Text, []byte(text("text"))}, {wire.Text, []byte("[null,\nnull,\r\n\"room:blue\", \"a\",{} ]")},
				{wire.Text, []byte(text("ÄÖ€"))},
				{wire.Text, []byte(large("a", 70_000))}, {wire.Text, []byte(large("b", 700_000))},
			}
			if s.Binary {
				all = append(all, message{wire.Binary, []byte("\x00\xff\n\r binary")}, message{wire.Binary, []byte{}}, message{wire.Binary, bytes.Repeat([]byte{9, 10, 13}, 30_000)})
			}
			for _, m := range all {
				if !p.send(m.op, m.data) {
					s.Fatalf("the connection does not take %s", shown(m.op, m.data))
				}
				if op, data := c.next(); op != m.op || plain(op, data) != plain(op, m.data) {
					s.Fatalf("%s arrived as %s", shown(m.op, m.data), shown(op, data))
				}
			}
		},
	},
	{
		name: "out/shared",
		law:  "frames and their bytes belong to all connections that get them: a link copies a frame to change it",
		body: shared,
	},
	{
		name: "out/slow reader",
		law:  "a client that reads slowly and in time gets everything, however much that is",
		only: stalling,
		body: func(s *suite) {
			const size, window = 64 << 10, 16
			n := sized(4<<20) / size
			s.start(setup{link: transport.LinkOptions{MaxQueueBytes: (2*window + 8) * size}}) // some keep frames until the client acknowledges them
			c, p := s.connect()
			sent := 0
			for i := range n {
				c.Stall(i%16 < 4)
				for ; sent < min(n, i+window); sent++ {
					p.sendAll(large(strconv.Itoa(sent), size))
				}
				c.Stall(false)
				c.want(large(strconv.Itoa(i), size))
			}
		},
	},
	{
		name: "out/gathered",
		law:  "frames that come while one Write runs are written together by the next",
		body: func(s *suite) {
			s.start(setup{link: transport.LinkOptions{MaxQueueMessages: bennu.Unlimited, MaxQueueBytes: bennu.Unlimited}})
			c, p := s.connect()
			n := sized(1000)
			for gathered := false; !gathered; {
				before := s.stats()
				p.sendAll(numberedAll(n)...)
				c.want(numberedAll(n)...)
				s.until("all frames are counted as written", func() bool { return s.stats().MessagesOut-before.MessagesOut >= uint64(n) })
				// Each frame may have found its writer at work on the one before, on a machine
				// that is slow enough; but not again and again.
				gathered = s.stats().Writes-before.Writes < uint64(n)
			}
		},
	},
	{
		name: "out/lone",
		law:  "a lone frame is written at once: no timer delays it in case that more should come",
		body: func(s *suite) {
			s.start(setup{})
			c, p := s.connect()
			const most = 50 * time.Millisecond
			fastest := time.Hour
			for i := 0; i < 50 && fastest >= most; i++ {
				began := time.Now()
				p.sendAll(numbered(i))
				c.want(numbered(i))
				fastest = min(fastest, time.Since(began))
			}
			if fastest >= most {
				s.Errorf("the fastest of 50 lone frames took %v, want less than %v", fastest, most)
			}
		},
	},
}

// kind returns the opcode of frame i.
func (s *suite) kind(i int) wire.Opcode {
	if s.Binary && i%3 == 0 {
		return wire.Binary
	}
	return wire.Text
}

// plain returns a message without insignificant whitespace.
func plain(op wire.Opcode, data []byte) string {
	var b bytes.Buffer
	if op == wire.Text && json.Compact(&b, data) == nil {
		return b.String()
	}
	return string(data)
}

func shared(s *suite) {
	s.start(setup{})
	n := sized(20)
	var clients []*client
	var peers []*peer
	for range n {
		c, p := s.connect()
		clients, peers = append(clients, c), append(peers, p)
	}
	var frames []transport.Frame
	var before [][]byte
	for i := range 10 {
		f := transport.NewFrame(s.kind(i), []byte(numbered(i)))
		frames, before = append(frames, f), append(before, bytes.Clone(f.Bytes()))
	}
	for _, f := range frames {
		for _, p := range peers {
			if !p.conn.Send(f) {
				s.Fatalf("a frame was not taken")
			}
		}
	}
	for _, c := range clients {
		for i := range frames {
			if op, data := c.next(); op != s.kind(i) || string(data) != numbered(i) {
				s.Fatalf("frame %d arrived as %s", i, shown(op, data))
			}
		}
	}
	for i, c := range clients {
		c.Cut()
		peers[i].close(transport.CloseGoingAway)
	}
	s.gone() // now nobody uses the frames any more
	for i, f := range frames {
		if !bytes.Equal(f.Bytes(), before[i]) {
			s.Fatalf("the bytes of frame %d were changed from %q to %q", i, before[i], f.Bytes())
		}
	}
}
