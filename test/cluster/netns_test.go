package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// partitionsEnv is what `make partitions` sets.
const partitionsEnv = "BENNU_PARTITIONS"

// namespaces are network namespaces, one for each node, joined by a bridge in one more.
// Nothing outside of them is changed.
type namespaces struct {
	t     testing.TB
	names map[string]string // by node
	addrs map[string]string // IP, by node
}

// needNamespaces skips the test where they cannot be made, and says why.
func needNamespaces(t testing.TB) {
	t.Helper()
	if os.Getenv(partitionsEnv) == "" {
		t.Skip("NOT RUN: partitions need root and network namespaces; `make partitions` runs them")
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: NETWORK NAMESPACES NEED ROOT, AND THIS IS NOT; run `make partitions` as root")
	}
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT RUN: %s IS NOT INSTALLED; install iproute2 and iptables", strings.ToUpper(tool))
		}
	}
	probe := fmt.Sprintf("bennu-%d-probe", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: THIS MACHINE MAKES NO NETWORK NAMESPACES: %v: %s", err, out)
	}
	defer func() { _ = exec.Command("ip", "netns", "delete", probe).Run() }()
	if out, err := exec.Command("ip", "netns", "exec", probe, "iptables", "-w", "-L").CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: IPTABLES DOES NOT WORK HERE: %v: %s", err, out)
	}
}

// makeNamespaces makes them until the end of the test.
func makeNamespaces(t testing.TB, nodes ...string) *namespaces {
	t.Helper()
	s := &namespaces{t: t, names: make(map[string]string), addrs: make(map[string]string)}
	own := fmt.Sprintf("bennu-%d-", os.Getpid())
	add := func(name string) string {
		ns := own + name
		s.command("ip", "netns", "add", ns)
		t.Cleanup(func() {
			if out, err := exec.Command("ip", "netns", "delete", ns).CombinedOutput(); err != nil {
				t.Errorf("namespace %s is left behind: %v: %s", ns, err, out)
			}
		})
		return ns
	}
	hub := add("hub")
	s.command("ip", "-n", hub, "link", "add", "bridge", "type", "bridge")
	s.command("ip", "-n", hub, "link", "set", "bridge", "up")
	for i, node := range nodes {
		ns := add(node)
		s.names[node], s.addrs[node] = ns, fmt.Sprintf("10.77.0.%d", i+1)
		s.command("ip", "-n", hub, "link", "add", "to-"+node, "type", "veth", "peer", "name", "eth0", "netns", ns)
		s.command("ip", "-n", hub, "link", "set", "to-"+node, "master", "bridge", "up")
		s.command("ip", "-n", ns, "addr", "add", s.addrs[node]+"/24", "dev", "eth0")
		s.command("ip", "-n", ns, "link", "set", "eth0", "up")
		s.command("ip", "-n", ns, "link", "set", "lo", "up")
	}
	return s
}

func (s *namespaces) command(args ...string) {
	s.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("%q: %v: %s", args, err, out)
	}
}

// in is what runs a program in the namespace of a node.
func (s *namespaces) in(node string) []string {
	return []string{"ip", "netns", "exec", s.names[node]}
}

// drop loses what goes from one node to another, in this direction alone.
func (s *namespaces) drop(from, to string) {
	s.t.Helper()
	s.command(append(s.in(to), "iptables", "-w", "-A", "INPUT", "-s", s.addrs[from], "-j", "DROP")...)
}

// heal drops nothing any more.
func (s *namespaces) heal() {
	s.t.Helper()
	for node := range s.names {
		s.command(append(s.in(node), "iptables", "-w", "-F", "INPUT")...)
	}
}
