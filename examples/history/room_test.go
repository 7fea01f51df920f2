package main

import (
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

func TestRoomResumes(t *testing.T) {
	endpoint := start(t)
	client := endpoint.Connect(t, nil)
	ann := client.Join(t, "room:court", bennu.Raw(`{"since":null}`))
	ann.ExpectResumed(t, "new")
	bob := endpoint.Connect(t, nil).Join(t, "room:court", nil)

	client.Cut(t)
	bob.Push(t, "say", line{"one"}).ExpectOK(t)
	bob.Push(t, "say", line{"two"}).ExpectOK(t)
	ann = ann.Rejoin(t) // as the stock client does

	ann.ExpectResumed(t, "recovered")
	ann.ExpectPush(t, "said", bennu.Raw(`{"body":"one"}`))
	ann.ExpectPush(t, "said", bennu.Raw(`{"body":"two"}`))
	ann.ExpectResumed(t, "live")
}

// A client that was away for too long, or comes with the offset of another server, is told.
func TestRoomLost(t *testing.T) {
	ann := start(t).Connect(t, nil).Join(t, "room:court", params("aaaaaaaa:7"))
	if r := ann.ExpectResumed(t, "lost"); r.Reason != "epoch" {
		t.Errorf("the reason is %q", r.Reason)
	}
}

func TestRoomPages(t *testing.T) {
	endpoint := start(t)
	ann := endpoint.Connect(t, nil).Join(t, "room:court", fresh)
	const said = 70
	for range said {
		ann.Push(t, "say", line{"again"}).ExpectOK(t)
	}
	seen := map[string]bool{}
	for q := (earlierThan{}); ; {
		page := channeltest.ExpectReply[lines](t, ann.Push(t, "earlier", q))
		for _, l := range page.Lines {
			seen[l.At.String()] = true
		}
		if !page.More {
			break
		}
		q.Before = page.Lines[0].At
	}
	if len(seen) != said {
		t.Errorf("the pages have %d lines, want %d", len(seen), said)
	}
}
