package demo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Variables of the environment, which other users of the machine cannot see.
const (
	pubsubEnv = "BENNU_PUBSUB"
	secretEnv = "BENNU_SECRET"
)

// The beginnings of the forms of --pubsub.
const (
	inMemory = "memory"
	embedded = "nats+embed"
)

// A cluster has the configuration for reaching other nodes. Its texts and errors have no password.
type cluster struct {
	from   string // pubsubEnv or "--pubsub"
	scheme string
	url    string // of a broker, as it was given
	hosts  string // of url
	login  bool   // url has a user or password
	listen string // of embedded NATS
	peers  []string
	secret []byte
}

// parseCluster reads the flag, or the environment where the flag is not set.
func parseCluster(value string, getenv func(string) string) (*cluster, error) {
	c := &cluster{from: "--pubsub"}
	var err error
	if c.secret, err = parseSecret(getenv(secretEnv)); err != nil {
		return nil, err
	}
	if value == "" {
		if value = getenv(pubsubEnv); value != "" {
			c.from = pubsubEnv
		}
	}
	if value == "" || value == inMemory {
		c.scheme = inMemory
		return c, nil
	}
	scheme, rest, found := strings.Cut(strings.TrimSpace(value), "://")
	if !found {
		return nil, fmt.Errorf("%s is not a URL; use memory, nats://host:4222, nats+embed://:6222 or redis://host:6379", c.from)
	}
	scheme = strings.ToLower(scheme)
	value = scheme + "://" + rest
	c.scheme = scheme
	switch scheme {
	case embedded:
		err = c.parseEmbedded(rest)
	case "nats", "tls", "redis", "rediss":
		err = c.parseBroker(value)
	default:
		const use = "; use memory, nats://, tls://, nats+embed://, redis:// or rediss://"
		if !regexp.MustCompile(`^[a-z][a-z0-9+.-]{0,15}$`).MatchString(scheme) {
			err = errors.New("has a form that is not known here" + use) // part of a password, maybe
		} else {
			err = fmt.Errorf("begins with %s://, which is not known here%s", scheme, use)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w", c.from, err)
	}
	// The adapter's own checks, which need no broker.
	if _, err := c.adapter("node", slog.New(slog.DiscardHandler)); err != nil {
		return nil, fmt.Errorf("%s: %s", c.from, plain(err))
	}
	return c, nil
}

// parseSecret decodes hexadecimal digits, and returns other text as it is.
func parseSecret(text string) ([]byte, error) {
	const least = 16
	if b, err := hex.DecodeString(text); err == nil && len(b) >= least {
		return b, nil
	}
	if n := len(text); n > 0 && n < least {
		return nil, fmt.Errorf("%s has %d bytes, and needs %d or more; `openssl rand -hex 32` prints a good one, the same for every node", secretEnv, n, least)
	}
	return []byte(text), nil
}

// parseEmbedded reads host:port?peers=host:port,host:port.
func (c *cluster) parseEmbedded(rest string) error {
	const form = "write nats+embed://:6222?peers=host:port,host:port"
	address, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "@") {
		return fmt.Errorf("has a user or password, and nodes know each other by %s alone; %s", secretEnv, form)
	}
	host, port := strings.TrimSuffix(address, "/"), "6222"
	if strings.Contains(strings.TrimPrefix(host, "["), ":") {
		var err error
		if host, port, err = net.SplitHostPort(host); err != nil {
			return fmt.Errorf("has the address %q, which is not host:port; %s", address, form)
		}
	}
	if !isPort(port, 0) {
		return fmt.Errorf("has the port %q; a port is a number up to 65535, and 0 picks a free one", port)
	}
	switch {
	case host == "" && len(c.secret) == 0:
		host = "127.0.0.1"
	case len(c.secret) == 0 && !isLoopback(host):
		return fmt.Errorf("lets anybody join who reaches %s; set %s to 16 bytes or more, the same for every node, or leave the host out to be reached from this machine alone",
			net.JoinHostPort(host, port), secretEnv)
	}
	c.listen = net.JoinHostPort(host, port)

	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("has %q behind the address; %s", query, form)
	}
	for name := range values {
		if name != "peers" {
			return fmt.Errorf("has the parameter %q, and there is only peers; %s", name, form)
		}
	}
	for peer := range strings.SplitSeq(strings.Join(values["peers"], ","), ",") {
		if peer == "" {
			continue
		}
		if host, port, err := net.SplitHostPort(peer); err != nil || host == "" || !isPort(port, 1) {
			return fmt.Errorf("has the peer %q, which is not host:port; %s", peer, form)
		}
		c.peers = append(c.peers, peer)
	}
	return nil
}

// parseBroker notes what may be shown of a URL, or of several with commas between.
func (c *cluster) parseBroker(list string) error {
	const form = "it looks like nats://host:4222 or redis://host:6379, and special characters of a password are percent-encoded"
	var hosts []string
	for one := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil, strings.Contains(u.Path+u.RawQuery+u.Fragment, "@"):
			// The error shows the URL. Where an @ stands too far back, what seems to be
			// the host is the user and a part of the password.
			return errors.New("cannot be read; " + form)
		case u.Hostname() == "":
			return errors.New("has no host; " + form)
		case u.Port() != "" && !isPort(u.Port(), 1):
			return errors.New("has a wrong port; a port is a number from 1 to 65535")
		}
		hosts = append(hosts, u.Host)
		c.login = c.login || u.User != nil
	}
	c.url, c.hosts = list, strings.Join(hosts, ", ")
	return nil
}

func isPort(text string, least int) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= least && n <= 65535
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// broker names what connects the nodes, "" for nothing.
func (c *cluster) broker() string {
	switch c.scheme {
	case inMemory:
		return ""
	case embedded:
		return "embedded NATS"
	case "redis", "rediss":
		return "Redis"
	}
	return "NATS"
}

// nameNode makes a name that two nodes on one machine do not share, and that is
// the same after a restart.
func nameNode(host string, addr net.Addr) string {
	host = regexp.MustCompile(`[^A-Za-z0-9_.-]+`).ReplaceAllString(host, "-")
	if host == "" {
		host = "bennu"
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		port = strconv.Itoa(os.Getpid())
	}
	return host[:min(len(host), 100)] + "-" + port
}

// checkNode says what is wrong with a name.
func checkNode(name string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9_.@:-]{1,128}$`).MatchString(name) {
		return fmt.Errorf("--node %q cannot be a name; use 1 to 128 letters, digits and -_.@: for it", name)
	}
	return nil
}
