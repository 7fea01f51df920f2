package main

import (
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
)

func TestNote(t *testing.T) {
	endpoint := start(t)
	ann := endpoint.Connect(t, nil).Join(t, "note:list", fresh)
	bob := endpoint.Connect(t, nil).Join(t, "note:list", fresh)
	began := position(t, ann.ExpectResumed(t, "new").Position)

	// Both write on the same text.
	ann.Push(t, "write", edit{"milk", began}).ExpectOK(t)
	if err := bob.Push(t, "write", edit{"bread", began}).ExpectError(t); err.Reason != "somebody else has changed it" {
		t.Errorf("the second is refused with %q", err.Reason)
	}
	bob.ExpectPush(t, "wrote", bennu.Raw(`{"text":"milk"}`))

	// Then bob has seen it.
	page, err := endpoint.History(t.Context(), "note:list", nil)
	if err != nil {
		t.Fatal(err)
	}
	bob.Push(t, "write", edit{"milk, bread", page.Head}).ExpectOK(t)
	ann.ExpectPush(t, "wrote", bennu.Raw(`{"text":"milk"}`))
	ann.ExpectPush(t, "wrote", bennu.Raw(`{"text":"milk, bread"}`))

	// Who comes later gets the text alone.
	cy := endpoint.Connect(t, nil).Join(t, "note:list", fresh)
	cy.ExpectPush(t, "wrote", bennu.Raw(`{"text":"milk, bread"}`))
	cy.ExpectNoPush(t)
}

func position(t *testing.T, text string) history.Offset {
	t.Helper()
	o, err := history.ParseOffset(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
