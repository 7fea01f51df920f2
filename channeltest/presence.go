package channeltest

// PresenceState is the payload of the event presence_state: the presences of a topic, by key. M is
// the type of a meta.
//
//	here := channeltest.ExpectPush[channeltest.PresenceState[user]](t, room, "presence_state")
type PresenceState[M any] map[string]struct {
	Metas []M `json:"metas"`
}

// PresenceDiff is the payload of the event presence_diff: the presences that have joined and left. An
// update of a presence is in both. A diff comes some time after the change and may have several, so
// wait with ExpectPush and a function that looks for the change.
//
//	channeltest.ExpectPush(t, room, "presence_diff", func(d channeltest.PresenceDiff[user]) bool {
//		return len(d.Leaves["bob"].Metas) == 1
//	})
type PresenceDiff[M any] struct {
	Joins  PresenceState[M] `json:"joins"`
	Leaves PresenceState[M] `json:"leaves"`
}
