package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/bennu-go/bennu/pubsub"
)

// explain says why a node cannot connect, and what to do about it.
func (c *cluster) explain(w io.Writer, node string, err error) {
	text := plain(err)
	login := fmt.Sprintf("Check the user and the password in %s: redis://user:password@host, or nats://user:password@host.", pubsubEnv)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(w, "bennu demo: stopped before it was connected.\n")
	case errors.Is(err, pubsub.ErrNameTaken):
		fmt.Fprintf(w, "bennu demo: another running node has the name %s already.\nGive this one another:  --node %s-2\n", node, node)
	case errors.Is(err, syscall.EADDRINUSE):
		fmt.Fprintf(w, "bennu demo: the port %s for other nodes is taken by another program.\nUse another, or 0 for a free one:  --pubsub '%s'\n", c.listen, c.address("0", c.peers))
	case errors.Is(err, pubsub.ErrLogin):
		fmt.Fprintf(w, "bennu demo: %s at %s does not let this node in.\n%s\n", c.broker(), c.hosts, login)
	default:
		fmt.Fprintf(w, "bennu demo: cannot connect to other nodes through %s: %s\n", c.broker(), text)
	}
}

// plain returns the text of an adapter's error without the prefix of its package.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"natspubsub: ", "redispubsub: ", "pubsub: ", "redishistory: ", "history: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

// address is the value of --pubsub for embedded NATS.
func (c *cluster) address(port string, peers []string) string {
	host, _, err := net.SplitHostPort(c.listen)
	if err != nil || host == "127.0.0.1" && len(c.secret) == 0 {
		host = ""
	}
	value := embedded + "://" + host + ":" + port
	if host != "" {
		value = embedded + "://" + net.JoinHostPort(host, port)
	}
	if len(peers) > 0 {
		value += "?peers=" + strings.Join(peers, ",")
	}
	return value
}

// introduce prints the name of this node, and the command that starts a second one at the address next.
func (c *cluster) introduce(w io.Writer, node, next string, adapter pubsub.Adapter) {
	if adapter == nil {
		fmt.Fprintf(w, "  This node is  %s, and it is alone. %s demo -h says how several share one chat room.\n", node, program())
		return
	}
	where := "at " + c.hosts
	second := fmt.Sprintf("%s demo --addr %s", program(), next)
	var same []string
	switch e, ok := adapter.(interface{ Addr() net.Addr }); {
	case ok: // embedded NATS
		listens := e.Addr().String()
		where = "on " + listens
		second += " --pubsub '" + c.address("0", []string{reachable(listens)}) + "'"
	case c.login || c.from == pubsubEnv:
		same = append(same, pubsubEnv)
	default:
		second += " --pubsub '" + c.url + "'"
	}
	if len(c.secret) > 0 {
		same = append(same, secretEnv)
	}
	fmt.Fprintf(w, "  This node is  %s, and meets others through %s %s.\n", node, c.broker(), where)
	if c.scheme == embedded && len(c.secret) == 0 {
		fmt.Fprintf(w, "  As there is no %s, it can be reached from this machine alone.\n", secretEnv)
	}
	fmt.Fprint(w, "  A second one, in another terminal")
	if len(same) > 0 {
		fmt.Fprintf(w, " with the same %s", strings.Join(same, " and "))
	}
	fmt.Fprintf(w, ":\n    %s\n", second)
}

// reachable replaces the address of all interfaces by one of this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// program returns the way in which this command was called.
func program() string {
	if strings.Contains(os.Args[0], "go-build") { // by "go run", which removes the binary
		return "go run ./cmd/bennu" // with the brokers
	}
	return "bennu"
}
