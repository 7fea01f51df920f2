package token_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bennu-go/bennu/token"
)

// secretKeyBase stands for a variable of the environment.
var secretKeyBase = strings.Repeat("k", 64)

func Example() {
	keys, err := token.New([]string{secretKeyBase}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Where the user has logged in.
	tok, err := keys.Sign("user auth", 42, token.MaxAge(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	// Where the user connects.
	id, err := token.As[int64](keys.Verify("user auth", tok))
	fmt.Println(id, err)

	_, err = keys.Verify("password reset", tok)
	fmt.Println(err)
	// Output:
	// 42 <nil>
	// token: invalid
}

// A token of Phoenix.Token.sign(MyApp.Endpoint, "user auth", %{id: 1, name: "bob"}) has atoms
// as keys.
func ExampleAs() {
	const fromPhoenix = "SFMyNTY.g2gDdAAAAAJkAAJpZGEBZAAEbmFtZW0AAAADYm9ibgYAAGjlz4sBYgABUYA" +
		".pf0pDcWw9tshPtBF7__Cj0n4eFuOhPeYExygQ-VkKis"
	keys, err := token.New([]string{secretKeyBase}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = token.As[token.Map](keys.Verify("user auth", fromPhoenix))
	fmt.Println(errors.Is(err, token.ErrExpired)) // it was made in 2023

	user, err := token.As[token.Map](keys.Verify("user auth", fromPhoenix, token.MaxAge(token.Infinite)))
	if err != nil {
		fmt.Println(err)
		return
	}
	id, _ := user.Get("id")
	name, _ := user.Get("name")
	fmt.Println(id, name)
	// Output:
	// true
	// 1 bob
}

func ExampleKeys_Verify() {
	clock := time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)
	keys, err := token.New([]string{secretKeyBase}, &token.Options{
		MaxAge: time.Hour,
		Now:    func() time.Time { return clock },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := keys.Sign("user auth", "nut")
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := keys.Verify("user auth", tok)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.Data, claims.ExpiresAt.UTC())

	clock = clock.Add(2 * time.Hour)
	fmt.Println(claims.Expired(clock))
	_, err = keys.Verify("user auth", tok)
	fmt.Println(err)
	// Output:
	// nut 2024-05-01 13:00:00 +0000 UTC
	// true
	// token: expired
}

// The first secret makes tokens; all of them read tokens.
func ExampleNew_rotation() {
	older, newer := strings.Repeat("o", 64), strings.Repeat("n", 64)
	before, err := token.New([]string{older}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := before.Sign("user auth", 42)
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := token.New([]string{newer, older}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.As[int64](now.Verify("user auth", tok)))
	// Output: 42 <nil>
}

func ExampleCookieReader() {
	// The options of Plug.Session in the Phoenix endpoint.
	cookies, err := token.NewCookieReader([]string{secretKeyBase}, &token.CookieOptions{SigningSalt: "signing salt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	const cookie = "SFMyNTY.g3QAAAADbQAAAAtfY3NyZl90b2tlbm0AAAAYTURFeU16UTFOamM0T1dGaVkyUmxabWRvbQAAAAVmbGFzaHQAAAABZAAEaW5mb20" +
		"AAAACaGltAAAAB3VzZXJfaWRhBw.V8fA3mJcpRhTKXA-l5IgtLA3a80sLf_4Hp73LT5R7dA"
	const csrfParam = "LxMDAyxIYFktWBdAFg8IGztlFBY7X1UHbWFza21hc2ttYXNrbWFza21h"

	session, err := cookies.Read(cookie)
	if err != nil {
		fmt.Println(err)
		return
	}
	if !token.CheckCSRF(session, csrfParam) {
		fmt.Println("the page is not ours")
		return
	}
	fmt.Println(session["user_id"])
	// Output: 7
}

func ExampleParseUnverified() {
	u, err := token.ParseUnverified("SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.Rn3K52Xm55OI0TRjqy2gA8wTTACuNRO0LkboqSuWaeQ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("says", u.Data, "since", u.SignedAt.UTC(), "for", u.MaxAge)
	// Output: says 42 since 2023-11-14 22:13:20 +0000 UTC for 24h0m0s
}
