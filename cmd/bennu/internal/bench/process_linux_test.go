package bench

import (
	"os"
	"testing"
	"time"
)

func TestProcess(t *testing.T) {
	self := process{os.Getpid()}
	before, err := self.cpu()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		now, err := self.cpu()
		if err != nil {
			t.Fatal(err)
		}
		if now > before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("its processor time stands still")
		}
	}
	if rss, err := self.memory(); err != nil || rss < 1<<20 {
		t.Errorf("memory %d, %v", rss, err)
	}
	none := process{1<<22 - 1} // the largest there can be, and so hardly taken
	if _, err := none.cpu(); err == nil {
		t.Error("a process that is not there has processor time")
	}
	if _, err := none.memory(); err == nil {
		t.Error("a process that is not there has memory")
	}
}

func TestParseProc(t *testing.T) {
	stat := "12 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 0 0 0"
	if got, err := parseStat([]byte(stat)); err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "1 (a) S", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 0"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if got, err := parseStatus([]byte("Name:\tx\nVmRSS:\t    2048 kB\nThreads: 1\n")); err != nil || got != 2<<20 {
		t.Errorf("got %d, %v", got, err)
	}
	if got, err := parseStatus([]byte("Name:\tx\n")); err == nil {
		t.Errorf("without VmRSS it is %d", got)
	}
}
