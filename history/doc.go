// Package history keeps the broadcasts of topics, so that a client that was away gets exactly what it
// missed: every broadcast, in order, none twice, or the answer that this is not possible.
//
//	log, err := history.New(ctx, ps, &history.Options{
//		Topics: []history.Topic{{Pattern: "room:*", Size: 1000, Age: time.Hour}},
//	})
//	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log})
//	endpoint.OnShutdown(log.Close)
package history
