//go:build !linux

package main

import "errors"

func serve(string, bool) error {
	return errors.New("the floor is made of Linux's epoll; it runs there alone")
}
