package nodes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/measure/internal/part"
)

// startBroker starts a broker on a port and returns its URL.
func startBroker(ctx context.Context, kind string, port int) (p *part.Process, url string, err error) {
	switch kind {
	case "nats":
		p, _, err = part.Self(ctx, NATS, strconv.Itoa(port))
		return p, fmt.Sprintf("nats://127.0.0.1:%d", port), err
	case "redis":
		p, err = startRedis(ctx, port)
		return p, fmt.Sprintf("redis://127.0.0.1:%d", port), err
	}
	return nil, "", fmt.Errorf("-broker is %q; use nats, embedded or redis", kind)
}

func startRedis(ctx context.Context, port int) (*part.Process, error) {
	p, err := part.Start(ctx, "redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, fmt.Errorf("%w; install redis-server", err)
	}
	p.Discard()
	for range 1000 {
		var c net.Conn
		if c, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return p, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.Kill()
	return nil, err
}

// NATSCommand is a NATS server on a port, until it is told to end.
func NATSCommand(*flag.FlagSet) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		port, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
		if err != nil {
			return err
		}
		s.Start()
		defer s.Shutdown()
		if !s.ReadyForConnections(10 * time.Second) {
			return errors.New("the NATS server does not start")
		}
		fmt.Println("ready")
		<-ctx.Done()
		return nil
	}
}

// freePort is a port that nobody listens on.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
