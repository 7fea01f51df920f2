package proc

import (
	"os"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

func TestSelf(t *testing.T) {
	self := os.Getpid()
	before, err := CPU(self)
	if err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "its processor time goes on", func() bool {
		now, err := CPU(self)
		if err != nil {
			t.Fatal(err)
		}
		return now > before
	})
	if n, err := Memory(self); err != nil || n < 1<<20 {
		t.Errorf("memory %d, %v", n, err)
	}
	if n, err := BytesRead(self); err != nil || n == 0 {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestNobody(t *testing.T) {
	const none = 1<<22 - 1 // the largest there can be, and so hardly taken
	if _, err := CPU(none); err == nil {
		t.Error("a process that is not there has processor time")
	}
	if _, err := Memory(none); err == nil {
		t.Error("a process that is not there has memory")
	}
	if _, err := BytesRead(none); err == nil {
		t.Error("a process that is not there has read something")
	}
}

func TestParse(t *testing.T) {
	stat := "12 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 0 0 0"
	if got, err := parseStat([]byte(stat)); err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "1 (a) S", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 0"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if got, err := number([]byte("Name:\tx\nVmRSS:\t    2048 kB\nThreads: 1\n"), "VmRSS", "kB"); err != nil || got != 2048 {
		t.Errorf("got %d, %v", got, err)
	}
	if got, err := number([]byte("Name:\tx\n"), "VmRSS", "kB"); err == nil {
		t.Errorf("without VmRSS it is %d", got)
	}
}
