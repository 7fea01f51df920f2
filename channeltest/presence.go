package channeltest

// PresenceState is the payload of the event presence_state: who is on the topic, by key. M is
// the type of the metas.
//
//	here := channeltest.ExpectPush[channeltest.PresenceState[user]](t, room, "presence_state")
type PresenceState[M any] map[string]struct {
	Metas []M `json:"metas"`
}

// PresenceDiff is the payload of the event presence_diff: who has come and who has gone. An
// update of a key is both. Diffs are made some time after the change: wait for one with ExpectPush and
// a function that says which change is meant.
//
//	channeltest.ExpectPush(t, room, "presence_diff", func(d channeltest.PresenceDiff[user]) bool {
//		return len(d.Leaves["bob"].Metas) == 1
//	})
type PresenceDiff[M any] struct {
	Joins  PresenceState[M] `json:"joins"`
	Leaves PresenceState[M] `json:"leaves"`
}
