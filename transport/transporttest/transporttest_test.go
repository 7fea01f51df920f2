package transporttest_test

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport/transporttest"
)

func TestMain(m *testing.M) {
	waittest.Parallel(16) // they wait most of their time
	waittest.Main(m)
}

func TestMemoryInBubble(t *testing.T) { transporttest.RunInBubble(t, memoryHarness("")) }

func TestMemory(t *testing.T) { transporttest.Run(t, memoryHarness("")) }

func TestStream(t *testing.T) { transporttest.Run(t, streamHarness("")) }

// wrongs are transports that each do one thing wrong, with the check that finds it, and a part of
// its failure.
var wrongs = []struct{ wrong, check, says string }{
	{"reads a handshake without end", "handshake/bytes", "were taken"},
	{"waits for a handshake without end", "handshake/time", "is connected after"},
	{"ends no handshake at shutdown", "handshake/shutdown", "does not delay Shutdown"},
	{"loses a message that comes with the handshake", "open/early", "is not lost"},
	{"does not serve whom it accepted", "open/both ways", "no connection was opened"},
	{"loses the parameters", "open/info", "Connect is told"},
	{"loses the token", "open/token", "X-Phoenix-AuthToken"},
	{"leaves the deadline of the handshake", "open/stays", "cleared before Serve"},
	{"closes by the deadline of the last Write", "open/stays", "does not hold for Close"},
	{"echoes no subprotocol", "open/subprotocol", "is echoed"},
	{"lets everyone in", "refuse/connect", "was let in"},
	{"has one status for all refusals", "refuse/connect", "want 503"},
	{"takes all for text", "in/kinds", "whatever their length"},
	{"drops empty messages", "in/empty", "is a message"},
	{"cuts off the end of a long message", "in/largest", "1009"},
	{"reads all of a long message", "in/largest", "before it has read all of it"},
	{"uses the memory of a message again", "in/owned", "use its memory again"},
	{"changes the order of messages", "in/order", "in the order"},
	{"writes one frame of many", "out/order", "none lost"},
	{"writes frames in any order", "out/order", "in their order"},
	{"writes frames twice", "out/order", "none twice"},
	{"changes the bytes of frames", "out/shared", "belong to all connections"},
	{"waits for more to write", "out/lone", "no timer"},
	{"buffers without a bound", "slow/bytes", "MiB were taken"},
	{"ignores the deadline", "slow/stalled", "must return by the deadline"},
	{"never returns from Write", "slow/stalled", "Serve returns"},
	{"tells no code", "close/codes", "want 1000"},
	{"keeps the last frame back", "close/queued", "before the close code"},
	{"does not wake Read", "close/client stays", "Serve returns"},
	{"takes a close for a loss", "close/by client", "ErrClientClosed"},
	{"takes a loss for a close", "close/cut", "ErrLost"},
	{"receives a part of a message", "close/cut within a message", "did not come whole"},
	{"makes up signs of life", "idle/closed", "1002 after IdleTimeout"},
	{"goes on to listen", "drain/listeners", "nobody listens any more"},
	{"waits for no connection", "drain/listeners", "served by such a function"},
}

func TestWrongTransports(t *testing.T) {
	for _, w := range wrongs {
		t.Run(w.wrong, func(t *testing.T) {
			found(t, transporttest.Check(t, w.check, true, memoryHarness(w.wrong)), w.says)
			if right := transporttest.Check(t, w.check, true, memoryHarness("")); right != nil {
				t.Errorf("a transport that does nothing wrong fails: %s", right)
			}
		})
	}
	for _, w := range wrongStreams {
		t.Run(w.wrong, func(t *testing.T) {
			found(t, transporttest.Check(t, w.check, false, streamHarness(w.wrong)), w.says)
		})
	}
}

// found wants a check to have found something, and to say the law.
func found(t *testing.T, failures []string, says string) {
	t.Helper()
	all := strings.Join(failures, "\n")
	if len(failures) == 0 || !strings.Contains(all, says) || !strings.Contains(all, "The law: ") {
		t.Errorf("the check does not say %q: %s", says, all)
	}
}
