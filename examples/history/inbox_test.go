package main

import (
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

type mail struct {
	Offset  string `json:"_offset"`
	Subject string `json:"subject"`
}

func TestInbox(t *testing.T) {
	endpoint := start(t)
	send := func(subject string) {
		t.Helper()
		if err := endpoint.Broadcast("inbox:ann", "mail", map[string]string{"subject": subject}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(ch *channeltest.Channel, subject string) mail {
		t.Helper()
		got := channeltest.ExpectPush[mail](t, ch, "mail")
		if got.Subject != subject || got.Offset == "" {
			t.Fatalf("got %+v, want %s", got, subject)
		}
		return got
	}
	send("one")
	send("two")
	phone := endpoint.Connect(t, nil).Join(t, "inbox:ann", nil)
	one := expect(phone, "one")
	expect(phone, "two")
	phone.Push(t, "read", bennu.Raw(`{"_offset":"`+one.Offset+`"}`)).ExpectOK(t)

	// Another device goes on there.
	laptop := endpoint.Connect(t, nil).Join(t, "inbox:ann", nil)
	expect(laptop, "two")
	send("three")
	expect(laptop, "three")
	laptop.ExpectNoPush(t, "mail")
}
