package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/internal/wsframe"
	"github.com/bennu-go/bennu/measure/internal/part"
	"github.com/bennu-go/bennu/measure/internal/plain"
)

// CrowdCommand is the clients of the server whose address follows. It does what it reads from its
// standard input, a command a line, and answers each with a line:
//
//	connect N            connected
//	join POSITION N      "all" if each client has got N messages in order, or what went wrong
func CrowdCommand(*flag.FlagSet) func(context.Context, []string) error {
	return func(_ context.Context, args []string) error {
		c := &crowd{addr: args[0]}
		fmt.Println("ready")
		return part.Answer(os.Stdin, func(line string) (string, error) { return c.do(strings.Fields(line)) })
	}
}

type crowd struct {
	addr string
	all  []*client
}

// client is one of them. Its buffer is small, so that a process can hold many.
type client struct {
	plain.Conn
	in *bufio.Reader
}

func (c *crowd) do(words []string) (string, error) {
	switch {
	case len(words) == 2 && words[0] == "connect":
		n, _ := strconv.Atoi(words[1])
		for range n {
			conn, err := plain.Dial(c.addr)
			if err != nil {
				return "", err
			}
			c.all = append(c.all, &client{conn, bufio.NewReaderSize(conn, 8<<10)})
		}
		return "connected", nil
	case len(words) == 3 && words[0] == "join":
		n, _ := strconv.Atoi(words[2])
		if err := c.join(words[1], n); err != nil {
			return err.Error(), nil
		}
		return "all", nil
	}
	return "", errors.New("a command that is none")
}

// join lets all join at once.
func (c *crowd) join(position string, messages int) error {
	done := make(chan error, len(c.all))
	for _, one := range c.all {
		go func() { done <- one.replay(position, messages) }()
	}
	var first error
	for range c.all {
		if err := <-done; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// replay joins and takes what was missed.
func (c *client) replay(position string, messages int) error {
	if err := c.Push(missed, "phx_join", `{"since":"`+position+`"}`); err != nil {
		return err
	}
	for n := 0; ; {
		text, err := c.next()
		switch {
		case err != nil:
			return err
		case bytes.HasPrefix(text, []byte("[null,")):
			if number(text, `"n":`) != n {
				return fmt.Errorf("message %d is %s", n, text)
			}
			n++
		case bytes.Contains(text, []byte(`"status":"live"`)):
			if n != messages {
				return fmt.Errorf("%d messages", n)
			}
			return nil
		case !bytes.Contains(text, []byte(`"status":"recovered"`)) && !bytes.Contains(text, []byte(`"status":"ok"`)):
			return fmt.Errorf("after %d messages: %s", n, text)
		}
	}
}

// next returns the next message, which is good until the next call.
func (c *client) next() ([]byte, error) {
	for {
		h, err := wsframe.Read(c.in)
		if err != nil {
			return nil, err
		}
		text, err := c.in.Peek(int(h.Length))
		if err != nil {
			return nil, err
		}
		_, _ = c.in.Discard(len(text)) // the text stays in the buffer until it is filled again
		if h.Op == wsframe.Text {      // and no ping
			return text, nil
		}
	}
}

// number returns the number after a name, or -1.
func number(text []byte, name string) int {
	_, rest, _ := bytes.Cut(text, []byte(name))
	n := -1
	for i := 0; i < len(rest) && rest[i] >= '0' && rest[i] <= '9'; i++ {
		n = max(n, 0)*10 + int(rest[i]-'0')
	}
	return n
}
