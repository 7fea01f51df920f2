package bennu

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

const busyReply = `{"response":{"reason":"busy"},"status":"error"}`

// TestJoinSlots lets one Join run at a time. However it ends, its slot is free then, and
// once only: a slot given back twice would block whoever does it.
func TestJoinSlots(t *testing.T) {
	endings := map[string]func() (Instance, Reply, error){
		"returns":     func() (Instance, Reply, error) { return quiet{}, Reply{}, nil },
		"refuses":     func() (Instance, Reply, error) { return nil, Reply{}, &Error{Reason: "no"} },
		"fails":       func() (Instance, Reply, error) { return nil, Reply{}, errors.New("no") },
		"nothing":     func() (Instance, Reply, error) { return nil, Reply{}, nil },
		"disconnects": func() (Instance, Reply, error) { return nil, Reply{}, Disconnect{} },
		"panics":      func() (Instance, Reply, error) { panic("join") },
		"exits":       func() (Instance, Reply, error) { runtime.Goexit(); panic("unreachable") },
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				h := handlerFunc(func(_ context.Context, ch *Channel, _ Payload) (Instance, Reply, error) {
					if ch.Topic() != "held" {
						return quiet{}, Reply{}, nil
					}
					<-gate
					return end()
				})
				_, m := memEndpoint(t, usersOf("*", h, Limits{}), &EndpointOptions{Limits: NodeLimits{Joins: 1}})
				other := memDial(t, m)
				for range 2 { // that the second time is as the first says that one slot came back
					holder := memDial(t, m)
					holder.send(`["1","1","held","phx_join",{}]`)
					synctest.Wait()
					other.send(`["1","1","a","phx_join",{}]`)
					other.send(`["1","2","phoenix","heartbeat",{}]`) // waits behind it
					time.Sleep(admissionWait - 1)
					synctest.Wait()
					if got := other.take(); len(got) > 0 {
						t.Fatalf("before a second is over: %q", got)
					}
					time.Sleep(time.Nanosecond)
					other.expect(`["1","1","a","phx_reply",`+busyReply+`]`, `[null,"2","phoenix","phx_reply",{"response":{},"status":"ok"}]`)

					other.send(`["3","3","a","phx_join",{}]`)
					time.Sleep(admissionWait / 2)
					gate <- struct{}{}
					other.expect(`["3","3","a","phx_reply",{"response":{},"status":"ok"}]`)
					other.send(`["3","4","a","phx_leave",{}]`)
					other.expect(`["3","4","a","phx_reply",{"response":{},"status":"ok"}]`, `["3","3","a","phx_close",{}]`)
				}
			})
		})
	}
}

// TestLateJoinSlot has Joins of one pattern run on after their time, or their client: they are in
// the way of that pattern alone, and of that only when there are too many.
func TestLateJoinSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := handlerFunc(func(context.Context, *Channel, Payload) (Instance, Reply, error) {
			<-gate
			return quiet{}, Reply{}, nil
		})
		users := usersOf("held:*", h, Limits{})
		users.Channel("*", handlerFunc(joinQuiet))
		_, m := memEndpoint(t, users, &EndpointOptions{Limits: NodeLimits{Joins: 2}})
		c, gone := memDial(t, m), memDial(t, m)
		c.send(`["1","1","held:1","phx_join",{}]`)
		gone.send(`["1","1","held:2","phx_join",{}]`)
		synctest.Wait()
		other := memDial(t, m)
		other.send(`["1","1","a","phx_join",{}]`)
		time.Sleep(admissionWait)
		other.sees(`["1","1","a","phx_reply",` + busyReply + `]`)
		gone.hangUp(transport.ErrLost)
		other.joins("a")
		time.Sleep(10*time.Second - admissionWait)
		c.sees(`["1","1","held:1","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]`)
		other.joins("b")
		other.send(`["2","2","held:3","phx_join",{}]`)
		other.sees(`["2","2","held:3","phx_reply",` + busyReply + `]`)

		close(gate) // which gives no slot back a second time
		synctest.Wait()
		other.joins("c", "held:3")
		if r := m.route("held:3"); r.lateJoins.Load() != 0 {
			t.Errorf("%d Joins are late", r.lateJoins.Load())
		}
	})
}

// TestHangUpBeforeJoinSlot ends a connection whose join waits for its turn.
func TestHangUpBeforeJoinSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		joins := 0
		h := handlerFunc(func(context.Context, *Channel, Payload) (Instance, Reply, error) {
			joins++
			<-gate
			return quiet{}, Reply{}, nil
		})
		e, m := memEndpoint(t, usersOf("*", h, Limits{}), &EndpointOptions{Limits: NodeLimits{Joins: 1}})
		holder, c := memDial(t, m), memDial(t, m)
		holder.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		c.send(`["1","1","b","phx_join",{}]`)
		synctest.Wait()
		c.hangUp(transport.ErrLost)
		close(gate)
		synctest.Wait()
		if got := c.take(); joins != 1 || len(got) > 0 || e.PubSub().Topics() != 1 {
			t.Errorf("%d joins, %d topics, sent %q", joins, e.PubSub().Topics(), got)
		}
	})
}

// request is a handshake from an address, as a transport gives it to Accept.
func request(ctx context.Context, e *Endpoint, address string) *transport.ConnectInfo {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.RemoteAddr = address
	return seam.NewConnectInfo(e.admission.identify(r), "memory", transport.Params{"vsn": "2.0.0"})
}

// TestConnectSlots lets one Connect run at a time, with all the ways it may end.
func TestConnectSlots(t *testing.T) {
	for name, end := range map[string]func() error{
		"returns": func() error { return nil },
		"refuses": func() error { return ErrRefused },
		"panics":  func() error { panic("connect") },
		"exits":   func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan func() error)
				users := usersOf("*", handlerFunc(joinQuiet), Limits{})
				users.Connect = func(context.Context, *Socket, *ConnectInfo) error { return (<-gate)() }
				e, m := memEndpoint(t, users, &EndpointOptions{Limits: NodeLimits{Connects: 1, PerAddress: 10}})
				// Its goroutine is that of a request.
				accept := func(ctx context.Context) <-chan error {
					result := make(chan error, 1)
					go func() {
						err := errors.New("did not return")
						defer func() { _ = recover(); result <- err }()
						_, err = m.accept(inMemory(m), request(ctx, e, "192.0.2.1:1"))
					}()
					synctest.Wait()
					return result
				}
				for range 2 {
					holder := accept(t.Context())
					waits := accept(t.Context())
					gone, leave := context.WithCancel(t.Context())
					left := accept(gone)
					leave()
					synctest.Wait()
					select {
					case err := <-left:
						if err != transport.ErrBusy {
							t.Errorf("a client that went away: %v", err)
						}
					default:
						t.Error("a client that went away still waits")
					}
					time.Sleep(admissionWait)
					synctest.Wait()
					select {
					case err := <-waits:
						if err != transport.ErrBusy {
							t.Errorf("after a second: %v", err)
						}
					default:
						t.Error("still waits after a second")
					}
					next := accept(t.Context())
					gate <- end
					if err := <-holder; name == "returns" && err != nil || name == "refuses" && err != ErrRefused {
						t.Errorf("holder: %v", err)
					}
					gate <- func() error { return nil }
					if err := <-next; err != nil {
						t.Errorf("who waited for the slot: %v", err)
					}
				}
				// None of them was opened, so none of them counts.
				if n := e.admission.addresses.Len(); n != 0 || e.Stats().Sockets != 0 {
					t.Errorf("%d addresses and %d sockets are counted", n, e.Stats().Sockets)
				}
			})
		})
	}
}

// TestConnectTimeout ends the context of a Connect that takes too long.
func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		result := context.DeadlineExceeded
		users.Connect = func(ctx context.Context, _ *Socket, _ *ConnectInfo) error {
			<-ctx.Done()
			return result
		}
		e, m := memEndpoint(t, users, nil)
		for _, tc := range []struct{ returned, want error }{
			{context.DeadlineExceeded, transport.ErrBusy},
			{ErrRefused, ErrRefused},
		} {
			result = tc.returned
			began := time.Now()
			if _, err := m.accept(inMemory(m), request(t.Context(), e, "192.0.2.1:1")); err != tc.want || time.Since(began) != 5*time.Second {
				t.Errorf("%v is answered with %v after %v", tc.returned, err, time.Since(began))
			}
		}
	})
}

// TestConnectSlotAfterDeadline has a Connect of one mount hang: after its time it is in the way
// of that mount alone.
func TestConnectSlotAfterDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		users.Connect = func(context.Context, *Socket, *ConnectInfo) error { <-gate; return nil }
		e, hangs := memEndpoint(t, users, &EndpointOptions{Limits: NodeLimits{Connects: 1}})
		good, err := (&SocketHandler{ID: func(*Socket) string { return "" }}).mount(e)
		if err != nil {
			t.Fatal(err)
		}
		accept := func(m *mountedHandler) error {
			_, err := m.accept(inMemory(m), request(t.Context(), e, "192.0.2.1:1"))
			return err
		}
		first := make(chan error, 1)
		go func() { first <- accept(hangs) }()
		synctest.Wait()
		if err := accept(good); err != transport.ErrBusy {
			t.Errorf("within the time: %v", err)
		}
		time.Sleep(5 * time.Second)
		if err := accept(good); err != nil {
			t.Errorf("another mount, after the time: %v", err)
		}
		if err := accept(hangs); err != transport.ErrBusy || e.Stats().Reasons["late_connects"] != 1 {
			t.Errorf("the same mount: %v, reasons %v", err, e.Stats().Reasons)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := e.Stats().Stuck; n != 1 {
			t.Errorf("%d callbacks are stuck", n)
		}
		close(gate)
		if err := <-first; err != nil {
			t.Errorf("one that returned in the end: %v", err)
		}
		for _, m := range []*mountedHandler{hangs, good, hangs} {
			if err := accept(m); err != nil {
				t.Errorf("after that: %v", err)
			}
		}
	})
}

// TestAdmissionAtOnce has connections pass the check of Accept together, which none of
// them would pass after the others.
func TestAdmissionAtOnce(t *testing.T) {
	for name, limits := range map[string]NodeLimits{
		"connections": {Connections: 2},
		"per address": {PerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), &EndpointOptions{Limits: limits})
			dial := func(address string) *memClient {
				r, err := m.accept(inMemory(m), request(t.Context(), e, address))
				if err != nil {
					t.Fatal(err)
				}
				return &memClient{t: t, memConn: memConn{room: -1}, socket: (*Socket)(r.(*receiver))}
			}
			var all []*memClient
			for range 3 {
				all = append(all, dial("192.0.2.1:1"))
			}
			for i, c := range all {
				(*receiver)(c.socket).Opened(&c.memConn)
				want := transport.CloseCode(0)
				if i == 2 {
					want = transport.CloseTryAgainLater
				}
				if got := c.closed(); got != want {
					t.Errorf("connection %d is closed with %d, want %d", i, got, want)
				}
			}
			if _, err := m.accept(inMemory(m), request(t.Context(), e, "192.0.2.1:2")); err != transport.ErrBusy {
				t.Errorf("one more: %v", err)
			}
			all[2].hangUp(transport.ErrLost)
			if _, err := m.accept(inMemory(m), request(t.Context(), e, "192.0.2.1:2")); err != transport.ErrBusy {
				t.Errorf("one more, after the end of one that did not count: %v", err)
			}
			all[0].hangUp(transport.ErrLost)
			if _, err := m.accept(inMemory(m), request(t.Context(), e, "192.0.2.1:2")); err != nil {
				t.Errorf("in the place of another: %v", err)
			}
			all[1].hangUp(transport.ErrLost)
			if n := e.admission.addresses.Len(); n != 0 || e.Stats().Sockets != 0 {
				t.Errorf("%d addresses and %d sockets are left", n, e.Stats().Sockets)
			}
		})
	}
}

// TestNodeLimitsDefaults resolves limits.
func TestNodeLimitsDefaults(t *testing.T) {
	if l := (NodeLimits{}).withDefaults(); l.Connections != defaultConnections() || l.PerAddress != Unlimited || l.Connects != 256 || l.Joins != 512 {
		t.Errorf("defaults: %+v", l)
	}
	if l := (NodeLimits{Connections: defaultConnections() + 1}).withDefaults(); l.Connections != defaultConnections() {
		t.Errorf("more than there are files: %d", l.Connections)
	}
	if l := (NodeLimits{Connections: Unlimited}).withDefaults(); l.Connections < 1<<31 {
		t.Errorf("unlimited: %d", l.Connections)
	}
	if l := (Limits{JoinRate: Unlimited}).withDefaults(); l.JoinBurst >= 0 {
		t.Errorf("JoinRate: Unlimited leaves a burst of %d", l.JoinBurst)
	}
}

// TestDisconnectInConnect asks for the end of a connection that does not exist yet.
func TestDisconnectInConnect(t *testing.T) {
	users := usersOf("*", handlerFunc(joinQuiet), Limits{})
	users.Connect = func(_ context.Context, s *Socket, _ *ConnectInfo) error { s.Disconnect(); return nil }
	_, m := memEndpoint(t, users, nil)
	if code := memDial(t, m).closed(); code != transport.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
}
