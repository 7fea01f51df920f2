package notice

import "log/slog"

// The kinds. Those of one part of the library stand together, in the order in which a
// request, a connection and a message meet them.
const (
	// Before a connection.
	NotMounted Kind = iota
	FallbackAsked
	NoLongPoll
	NoWebSocket
	NoTransport
	Draining
	Method
	URL
	Header
	Params
	Origin
	TokenEncoding
	Subprotocol
	NoSession
	Connections
	PerAddress
	SessionsPerAddress
	Version
	ConnectsBusy
	LateConnects
	ConnectBusy
	AuthTokenOff
	NoAuthToken
	AuthTokenRefused
	ConnectRefused
	ConnectError
	ConnectTimeout
	Disconnected
	Deaf
	NoHost
	RequestCrash
	FallbackCrash
	WebSocketAcceptor
	LongPollAcceptor
	LinkAcceptor
	TransportPanic
	TransportStuck
	TransportMisuse
	NoReceiver
	Gone
	UpgradeHeaders
	Hijack

	// A connection.
	Protocol
	TooBig
	Fragments
	ControlFrames
	WebSocketReceiver
	LongPollReceiver
	LinkReceiver
	LinkPanic
	LinkStuck
	LinkOpcode
	LinkOptions
	ClientFault
	Idle
	SlowConsumer
	NotRead
	LingerCut
	Malformed
	Unwelcome
	MessageRate
	Expired
	ThrownOut
	RenewBusy
	LateRenews
	RenewRefused
	RenewCrash
	RenewReply
	NotEncoded
	FrameTooLarge

	// Joins.
	Unmatched
	TooManyTopics
	TooManyJoins
	JoinsBusy
	JoinCrash
	JoinTimeout
	JoinBacklog
	JoinReply
	LateCallbacks
	Fenced
	HistoryLost

	// Channels.
	NotJoined
	StaleRef
	InvalidPayload
	HandlerFailed
	CallbackFailed
	UnknownEvent
	MailboxFull
	ChannelCrash
	Gap
	GapIgnored
	Stuck
	LateHandler
	LateCallback
	LateReply
	LateTask
	Unsound
	Serializer
	BroadcastEvent
	SlowSubscriber
	SubscriberGap
	SubscriberCrash

	// Long polling.
	SessionToken
	SessionGone
	Inactive
	BatchGone
	BatchLost
	BodyTooLarge
	BodyCut
	BodyMalformed
	BatchTooLong
	PostsWaiting
	PostBytes
	PostUnhandled
	PostWithdrawn
	BinaryFrame
	RelayLost
	RelayGarbage
	RelayParts
	RelayBusy

	// Other nodes.
	BrokerGarbage
	BrokerFull
	BrokerTooLarge
	BrokerRefused
	BrokerTakes
	BrokerTopicRefused
	BrokerTopicBack
	BrokerDeaf
	BrokerInterest
	BrokerInterestKept
	PeerSecret
	PeerApart
	EmbeddedServer
	BrokerAway
	BrokerDropped
	BrokerSilent
	MessagesMissed
	MessagesStale
	DeliveryCrash
	NameTaken
	NameLost
	NameSilent
	TooManyNodes
	NodeSilent
	NodeUnanswered
	NodeBack
	NodeUnproved
	NodeVersion
	DisconnectsUntold

	// History.
	HistoryUnsound
	HistoryRead
	HistoryBroke
	HistoryStore
	HistoryLate
	HistoryClosed
	HistoryUnavailable
	HistoryUnknown
	HistoryBusy
	HistoryTooLarge
	HistoryUntold
	HistoryForgotten
	HistoryForeign
	HistoryCleaning

	// Presence.
	TrackerMessage
	TrackerFull
	TrackerRefused
	TrackerSuperseded
	TrackerHook
	PresenceFull
	PresenceMeta
	PresenceRate
	PresenceFetch
	PresenceHook
	PresenceForeign
	PresenceSize

	// The Go client.
	ClientEvent
	ClientSlow
	ClientPanic
	ClientPresenceEvent
	ClientPresenceDiff

	kinds
)

const (
	debug = slog.LevelDebug
	info  = slog.LevelInfo
	warn  = slog.LevelWarn
	fault = slog.LevelError
)

var table = [kinds]Entry{
	NotMounted: {"not_mounted", warn, "a client asks for a socket at a path where none is mounted",
		"compare the path with those given to Endpoint.Socket; clients add /websocket or /longpoll themselves"},
	FallbackAsked: {"not_mounted_fallback", info, "a client asks for a socket at a path where none is mounted, and the Fallback answers",
		"nothing, if the Fallback serves sockets of its own; otherwise compare the path with those given to Endpoint.Socket"},
	NoLongPoll: {"no_longpoll", warn, "a client polls a mount that has no long polling",
		"add longpoll.New(nil) to SocketOptions.Transports, beside websocket.New(nil), or remove longPollFallbackMs and the LongPoll transport from the client"},
	NoWebSocket: {"no_websocket", warn, "a client opens a WebSocket at a mount without that transport",
		"add websocket.New(nil) to SocketOptions.Transports, or let the client use long polling alone"},
	NoTransport: {"no_transport", warn, "a client asks for a transport that the mount does not have",
		"add the transport to SocketOptions.Transports; another mount has it"},
	Draining: {"draining", info, "a request was refused: the server is shutting down",
		"nothing; clients come back to another server, or after the restart"},
	Method: {"method", info, "a request with a method that the transport does not have was refused",
		"open a WebSocket with GET; long polling takes GET, POST and OPTIONS"},
	URL: {"url", warn, "a request whose URL is longer than 8 KiB was refused",
		"send less in the parameters of the client's socket; give a long token as authToken"},
	Header: {"header", warn, "a request with more than 64 header lines or 16 KiB of header was refused",
		"make the cookies of the site shorter, or let the proxy in front add less"},
	Params: {"params", warn, "a request whose parameters cannot be read was refused",
		"send at most 64 parameters, nested at most 32 deep, in UTF-8"},
	Origin: {"origin", warn, "a page of a foreign origin was refused",
		"nothing, if fetch_mode is no-cors or navigate, which is an image, a frame or a link; if the page is yours, name its origin in Checks.Origin with transport.Origins, or its host in EndpointOptions.Host; behind a proxy that ends TLS set Checks.Scheme, and let the proxy pass on Host"},
	TokenEncoding: {"token_encoding", warn, "an auth token that is malformed, or not the only one, was refused",
		"give one token, to the client's library as authToken, which encodes it, or in the parameter that Checks.TokenParam names"},
	Subprotocol: {"subprotocol", warn, "a client that offers no known subprotocol was refused",
		"add the name it offers to Checks.Subprotocols, or let it offer a known one; for an authToken of phoenix.js set Checks.AuthToken to true"},
	NoSession: {"no_session", info, "a page connects, and its web session is not shown to Connect",
		"let the page send its CSRF token as the parameter _csrf_token, and compare what Checks.Session.Read and CSRF expect with the page's cookie"},
	Connections: {"connections", warn, "a connection was refused: the node has as many as it may",
		"raise EndpointOptions.Limits.Connections, and before that the process's limit on open files"},
	PerAddress: {"per_address", warn, "a connection was refused: its address has as many as it may",
		"behind a proxy set EndpointOptions.Limits.ClientAddress, or all clients count as the proxy; otherwise raise Limits.PerAddress"},
	SessionsPerAddress: {"sessions_per_address", warn, "a long-poll session was refused: its address has as many as it may",
		"behind a proxy set EndpointOptions.Limits.ClientAddress, or all clients count as the proxy; otherwise raise longpoll.Options.MaxSessionsPerAddress"},
	Version: {"version", warn, "a client that speaks no known version of the protocol was refused",
		"let the client send the parameter vsn as 2.0.0 or 1.0.0, or add its version to SocketHandler.Serializers"},
	LateConnects: {"late_connects", warn, "a connection was refused: too many Connect callbacks of its mount run on after their contexts ended",
		"let Connect end with its context, see the lines of reason stuck; or raise EndpointOptions.Limits.Connects"},
	ConnectsBusy: {"connects_busy", warn, "a connection was refused: too many Connect callbacks run",
		"make Connect faster, or raise EndpointOptions.Limits.Connects"},
	ConnectBusy: {"connect_busy", warn, "Connect refused a connection: it is too busy",
		"nothing, if Connect meant to return transport.ErrBusy: clients come back after some seconds"},
	AuthTokenOff: {"auth_token_off", fault, "Authenticate refuses every client of a mount that takes no tokens",
		"set AuthToken to true in the Checks of the mount's SocketOptions"},
	NoAuthToken: {"no_auth_token", info, "a client that sends no auth token was refused",
		"give the client's socket its authToken option, or name the parameter that it sends in Checks.TokenParam; for a token that is empty, comes twice or is elsewhere the line says what to do"},
	AuthTokenRefused: {"auth_token_refused", info, "an auth token was refused",
		"nothing, if it is expired or forged; otherwise compare secret, salt, maximal age and the type of the data of both sides"},
	ConnectRefused: {"connect_refused", info, "Connect refused a connection", "nothing, if Connect meant to return ErrRefused"},
	ConnectError: {"connect_error", warn, "Connect refused a connection with an error",
		"see the error; return bennu.ErrRefused to keep a user out"},
	ConnectTimeout: {"connect_timeout", fault, "a connection was refused: Connect took longer than its limit",
		"make Connect faster, or raise SocketHandler.Limits.ConnectTimeout"},
	Disconnected: {"disconnected", info, "a connection was refused: its id was disconnected while Connect ran",
		"nothing; the client connects again, and Connect is asked again"},
	Deaf: {"disconnects_unheard", warn, "a connection was refused: this node does not receive the disconnects of other nodes yet",
		"see the health of the PubSub: the broker has not confirmed this node's subscriptions"},
	NoHost: {"no_host", warn, "the default origin policy trusts the Host header of requests",
		"set EndpointOptions.Host to the name in the address bar, or Checks.Origin; otherwise a page of another name that resolves to this server can connect"},
	RequestCrash:      {"request_panic", fault, "a request panicked before Connect", "see the stack: a function of Checks, Limits.ClientAddress, an ErrorHandler or a handler of a transport panicked"},
	FallbackCrash:     {"fallback_panic", fault, "the Fallback panicked", "see the stack: EndpointOptions.Fallback panicked"},
	WebSocketAcceptor: {"websocket_connect_panic", fault, "websocket: acceptor panicked", "see the stack: Connect or ID panicked"},
	LongPollAcceptor:  {"longpoll_connect_panic", fault, "longpoll: acceptor panicked", "see the stack: Connect or ID panicked"},
	LinkAcceptor:      {"link_connect_panic", fault, "transport: acceptor panicked", "see the stack: Connect or ID panicked"},
	TransportPanic: {"transport_panic", fault, "a goroutine of a transport panicked",
		"see the stack: a function that the transport gave to Mount.Go panicked; its listener is not served any more"},
	TransportMisuse: {"transport_misuse", fault, "a transport broke the laws of package transport", "see the error; repair the transport"},
	TransportStuck: {"transport_stuck", fault, "Shutdown waits for a function of a transport",
		"let the functions that the transport gave to Mount.Go return when their context ends"},
	NoReceiver: {"no_receiver", fault, "acceptor returned neither receiver nor error",
		"let the Acceptor return one of them"},
	Gone: {"gone", debug, "a client went away before its connection was open", "nothing"},
	UpgradeHeaders: {"upgrade_headers", warn, "a request without the headers of a WebSocket was refused",
		"open it with a WebSocket client; let the proxy in front speak HTTP/1.1 and pass on Upgrade and Connection"},
	Hijack: {"hijack", fault, "a WebSocket was refused: its ResponseWriter cannot be hijacked",
		"give the ResponseWriter of the middleware in front a method Unwrap, keep http.TimeoutHandler off this path, and serve it over HTTP/1.1"},

	Protocol: {"protocol", warn, "a client that broke the WebSocket protocol was closed",
		"see the error; repair the client, or the proxy that changes its frames"},
	TooBig: {"message_too_big", warn, "a client that sent too large a message was closed",
		"send less at once, or raise websocket.Options.MaxMessage"},
	Fragments: {"fragments", warn, "a client that sent a message in too many fragments was closed",
		"send larger fragments, or raise websocket.Options.MaxFragments"},
	ControlFrames: {"control_frames", warn, "a client that sent too many pings and pongs was closed",
		"send fewer, or raise websocket.Options.MaxControlRate"},
	WebSocketReceiver: {"websocket_panic", fault, "websocket: receiver panicked", "see the stack"},
	LongPollReceiver:  {"longpoll_panic", fault, "longpoll: receiver panicked", "see the stack"},
	LinkReceiver:      {"link_panic_receiver", fault, "transport: receiver panicked", "see the stack"},
	LinkPanic: {"link_panic", fault, "a connection was cut: a method of its Link panicked",
		"see the stack; repair the transport"},
	LinkStuck: {"link_stuck", fault, "a connection was cut, and a method of its Link does not return",
		"let Read and Write of the transport's Link return when Close(0) is called, and Close at once; until then the goroutines and the descriptor are lost"},
	LinkOpcode: {"link_opcode", fault, "a client was closed: the Link of its transport read a message that is neither text nor binary",
		"let Read return wire.Text or wire.Binary; repair the transport"},
	LinkOptions: {"link_options", fault, "a connection was refused: the LinkOptions of its transport cannot work",
		"see the error"},
	ClientFault: {"client_fault", warn, "a client that broke the rules of its transport was closed",
		"repair the client, or the proxy that changes its messages"},
	Idle: {"idle", info, "a client that sent nothing was closed",
		"let the client answer pings, or send heartbeats more often than websocket.Options.IdleTimeout, or raise that"},
	NotRead: {"not_read", warn, "a client was closed because nothing was read from it for too long: a channel does not handle its messages",
		"find the handler that does not return"},
	LingerCut: {"linger_cut", info, "a closed connection whose client had not closed its side was cut, to make room for another",
		"nothing, if it is rare; otherwise set EndpointOptions.Limits.PerAddress, or lower websocket.Options.CloseLinger"},
	SlowConsumer: {"slow_consumer", warn, "slow consumer closed",
		"send the client less or less often, or raise MaxQueueBytes, MaxQueueMessages and WriteTimeout of websocket.Options, MaxBufferBytes and MaxBufferMessages of longpoll.Options"},
	Malformed: {"malformed", warn, "message does not decode", "let the client send messages of the version that it names in vsn"},
	Unwelcome: {"message_refused", info, "a message was refused: it has too many values, is too deep, or its text is not UTF-8",
		"see the error; send less in one message, raise SocketHandler.Limits.MessageTokens, or send valid UTF-8"},
	MessageRate: {"message_rate", warn, "a client that kept sending too fast was closed",
		"send less often, or raise SocketHandler.Limits.MessageRate"},
	ThrownOut: {"thrown_out", info, "a connection was closed: its id was disconnected",
		"nothing: the program called Endpoint.Disconnect; the client connects again, and Connect is asked again"},
	Expired: {"expired", info, "a client whose authentication was not renewed was closed",
		"let the client push access_token when it gets token_expired, and set SocketHandler.Renew"},
	LateRenews: {"late_renews", warn, "a renewal was refused: too many Renew callbacks run on after their connections ended",
		"let Renew end with its context, see the lines of reason stuck; or raise EndpointOptions.Limits.LateCallbacks"},
	RenewBusy:    {"renew_busy", info, "a renewal was refused: the connection's last one still runs", "let the client wait for the reply before it pushes access_token again"},
	RenewRefused: {"renew_refused", info, "the token of a renewal was refused", "let the client get a new token before it pushes access_token"},
	RenewCrash:   {"renew_crash", fault, "renewal crashed", "see the stack: SocketHandler.Renew panicked"},
	RenewReply:   {"renew_reply", fault, "response of a renewal does not encode", "see the error; let the Response of a *bennu.Error encode to JSON"},
	NotEncoded:   {"not_encoded", fault, "a message to a client does not encode", "see the error; repair the serializer"},

	FrameTooLarge: {"frame_too_large", warn, "a message to clients was refused: it is larger than the queue of one of them",
		"send less at once, or in pieces; or raise MaxQueueBytes of websocket.Options and MaxBufferBytes of longpoll.Options, on all nodes"},
	Unmatched: {"unmatched_topic", warn, "join of a topic that no pattern matches",
		"register a pattern that matches it with SocketHandler.Channel, or repair the topic in the client"},
	TooManyTopics: {"too_many_topics", warn, "a join was refused: the connection has joined as many topics as it may",
		"join fewer, or raise SocketHandler.Limits.Topics"},
	TooManyJoins: {"too_many_joins", warn, "a join was refused: the connection joins too often",
		"let the client join less often, or raise SocketHandler.Limits.JoinBurst and JoinRate"},
	JoinsBusy: {"joins_busy", warn, "a join was refused: too many Join callbacks run",
		"make Join faster, or raise EndpointOptions.Limits.Joins"},
	JoinCrash:   {"join_crash", fault, "join crashed", "see the error and the stack"},
	JoinTimeout: {"join_timeout", fault, "join crashed", "make Join faster, or raise SocketHandler.Limits.JoinTimeout; if the broker or the store of a history is away, or the broker refuses the topic, see their lines: a join waits for them"},
	JoinBacklog: {"join_backlog", warn, "a join failed: too many broadcasts waited for its channel",
		"make Join faster, or send less to the topic; the client joins again"},
	JoinReply: {"join_reply", fault, "join reply does not encode", "see the error; let Join return a value that encodes to JSON, and no bytes to clients of version 1"},

	LateCallbacks: {"late_callbacks", warn, "a join was refused: too many callbacks run on after their channels ended",
		"let callbacks end with their context, see the lines of reason stuck; or raise SocketHandler.Limits.LateCallbacks, or LateCallbacks and Joins of EndpointOptions.Limits"},
	Fenced: {"resume_fenced", debug, "a client that had not read all that it was sent joined again with an old offset, and was asked to join once more",
		"nothing; the client joins again by itself"},
	HistoryLost: {"resume_lost", info, "a client was told that it has lost messages of a topic",
		"for expired and too_many raise Size, Age or MaxReplay of the history.Topic, unless the newest messages are enough; for too_large send smaller messages, or raise MaxQueueBytes; epoch and unknown mean that the store began anew"},

	NotJoined: {"not_joined", info, "message to a topic that is not joined",
		"join the topic first, and again after phx_error, as Phoenix's clients do"},
	StaleRef:       {"stale_join_ref", debug, "message of an earlier join dropped", "nothing"},
	InvalidPayload: {"invalid_payload", info, "invalid payload", "let the client send what the handler expects; field is the part that does not fit, and the debug level has the error"},
	HandlerFailed:  {"handler_failed", fault, "handler failed", "see the error; return a *bennu.Error to tell the client a reason"},
	CallbackFailed: {"callback_failed", fault, "channel callback failed", "see the error"},
	UnknownEvent:   {"unknown_event", fault, "channel crashed", "register a handler of the event with bennu.On, or repair the event in the client"},
	MailboxFull: {"mailbox_full", fault, "channel crashed",
		"make the handlers faster, or raise SocketHandler.Limits.MailboxMessages and MailboxBytes"},
	ChannelCrash: {"channel_crash", fault, "channel crashed", "see the error and the stack"},
	Gap: {"gap", warn, "a channel ended: messages of other nodes may have been missed",
		"see the lines about the broker; the client joins again by itself"},
	GapIgnored: {"gap_ignored", debug, "a channel stays joined although messages of other nodes may have been missed", "nothing: IgnoreGaps is set"},
	Stuck: {"stuck", warn, "callback runs on after its channel ended",
		"let the callback end with its context; see the stack"},
	LateHandler:  {"late_handler", debug, "handler failed", "nothing: its channel had ended"},
	LateCallback: {"late_callback", debug, "channel callback failed", "nothing: its channel had ended"},
	LateReply:    {"late_reply", debug, "reply to a channel that has ended dropped", "nothing"},
	LateTask:     {"late_task", debug, "work of Channel.Go came after the channel's end", "nothing"},
	Unsound:      {"unsound", warn, "a broadcast of another node was dropped: it is not an event with a JSON object or bytes", "keep others from publishing under the adapter's prefix, and set its Secret"},
	Serializer:   {"serializer", fault, "a broadcast was not sent to clients whose serializer cannot encode it", "send bytes only to clients of version 2 of the protocol"},
	BroadcastEvent: {"broadcast_event", fault, "a broadcast that the program published on the PubSub itself was not sent to clients: its event is not valid",
		"give it an event that is not empty and not one of the protocol's own; Endpoint.Broadcast checks that"},
	SlowSubscriber: {"slow_subscriber", warn, "broadcast dropped: the function of Endpoint.Subscribe is too slow",
		"make the function faster; Broadcast.Missed tells it how many it missed"},
	SubscriberGap: {"subscriber_gap", warn, "a function of Endpoint.Subscribe may have missed broadcasts of other nodes",
		"see the lines of the adapter about the broker; if each broadcast counts, read the data again when Broadcast.Missed is not 0"},
	SubscriberCrash: {"subscriber_panic", fault, "subscription panicked", "see the stack: the function of Endpoint.Subscribe panicked"},

	SessionToken: {"longpoll_token", info, "a long-poll token that this server did not make was refused",
		"nothing, after a restart; give all nodes the same EndpointOptions.Secret, and the same mounts in the same order"},
	SessionGone: {"longpoll_gone", info, "a long-poll request for a session that is gone was refused",
		"nothing, if the client was away; otherwise let it poll again within the window of longpoll.Options"},
	Inactive:  {"longpoll_inactive", info, "a long-poll session that nobody polls was closed", "nothing, if the client went away"},
	BatchGone: {"longpoll_gap", warn, "a long-poll session was closed: its client asked for messages that are gone", "let the client use the token of the latest answer"},
	BatchLost: {"longpoll_lost", info, "a long-poll session was closed: an answer with messages could not be written", "nothing, if the client went away"},
	BodyTooLarge: {"body_too_large", warn, "a post with too large a body was refused",
		"post less at once, or raise longpoll.Options.MaxBody"},
	BodyCut:       {"body_cut", info, "a post whose body did not come in time, or was cut, was refused", "see the error; for slow clients raise longpoll.Options.BodyTimeout"},
	BodyMalformed: {"body_malformed", warn, "a post that holds no messages was refused", "post JSON, or with the type application/x-ndjson lines of JSON or base64"},
	BatchTooLong: {"batch_too_long", warn, "messages of a post were dropped: there are too many",
		"post fewer at once, or raise longpoll.Options.MaxBatch"},
	PostsWaiting: {"posts_waiting", warn, "a post was refused: too many of its session wait",
		"let the client wait for the answer to a post, and make handlers faster"},
	PostBytes: {"post_bytes", warn, "a post was refused: too many bytes of posts wait, of its session, its address or this node",
		"make joins and handlers faster; behind a proxy set EndpointOptions.Limits.ClientAddress, or all clients count as the proxy; otherwise raise longpoll.Options.MaxPostBytesPerAddress or EndpointOptions.Limits.PostBytes"},
	PostWithdrawn: {"post_withdrawn", info, "a post, or a part of it, was dropped before it was handled: its client went away",
		"nothing; if it happens often, make joins and handlers faster"},
	PostUnhandled: {"post_unhandled", warn, "a post was answered before all of it was handled",
		"make joins and handlers faster, or raise longpoll.Options.Window"},
	BinaryFrame: {"binary_frame", fault, "longpoll: binary frame dropped: no client can receive it over long polling",
		"send JSON to clients of long polling"},
	RelayLost: {"relay_lost", warn, "a long-poll request for a session of another node got no answer",
		"see whether that node runs and the broker delivers; give all nodes the same EndpointOptions.Secret"},
	RelayGarbage: {"relay_garbage", warn, "a message of long polling from another node was dropped: it is not valid",
		"run the same version on all nodes, and keep others from publishing under the adapter's prefix"},
	RelayParts: {"relay_parts", warn, "a post from another node dropped: its parts do not fit", "let clients wait for the answer to a post; see the broker for lost messages"},
	RelayBusy: {"relay_busy", warn, "a long-poll request for a session of another node was refused, or its answer kept back: too much is on its way between nodes",
		"see why the broker or the other node is slow; let the proxy in front send each client to one node"},

	BrokerGarbage: {"broker_garbage", warn, "the broker delivered something that is no message of this cluster; is the prefix used by others, or the secret not the same?",
		"give each cluster a Prefix of its own, and its nodes the same Secret"},
	BrokerFull: {"broker_full", fault, "a message for other nodes was refused: too much waits for the broker",
		"see why the broker is away or slow, or raise Buffer of the adapter's options"},
	BrokerTooLarge: {"broker_too_large", fault, "a message for other nodes was refused: it is larger than the broker takes",
		"send less at once, or raise the broker's limit on messages: max_payload of NATS, EmbeddedOptions.MaxPayload; that of Redis is fixed"},
	BrokerRefused: {"broker_refused", fault, "the broker refuses a message", "see the error; let the user publish below the prefix"},
	BrokerTakes:   {"broker_takes", info, "the broker takes messages again that it had refused", "nothing; what was refused meanwhile is a gap of other nodes"},
	BrokerTopicRefused: {"broker_topic_refused", fault, "the broker refuses a topic: its channels end, and joins fail, until it does not",
		"see the error; let the user subscribe below the prefix, or raise the broker's limit on subscriptions"},
	BrokerTopicBack: {"broker_topic_back", info, "the broker takes a topic again that it had refused", "nothing; its channels join again"},
	BrokerDeaf: {"broker_deaf", fault, "the broker refuses this node: all its channels end, and joins fail, until it does not",
		"see the error; let the user publish and subscribe below the prefix"},
	PeerSecret: {"peer_secret", fault, "an embedded NATS node and a peer refuse each other: they do not have the same secret",
		"set EmbeddedOptions.Secret of both to the same bytes; the error has the peer's address"},
	BrokerInterest: {"broker_interest", warn, "the broker did not take interest in topics; this node tries again, and joins wait",
		"see the error, and the broker's own log"},
	BrokerInterestKept: {"broker_interest_kept", warn, "the broker did not take interest in topics back",
		"nothing, if the broker was away; otherwise see the error: this node gets messages that it drops"},
	PeerApart: {"peer_apart", warn, "peers of an embedded NATS node accept connections, and are not connected to it",
		"give all nodes the same EmbeddedOptions.Secret, and TLS to all of them or to none"},
	EmbeddedServer: {"embedded_server", warn, "the server of an embedded NATS node complains",
		"see the error: if it names a peer, compare EmbeddedOptions of both; if it names a file or a port, the machine's limits"},
	BrokerAway:    {"broker_away", warn, "the broker is away; this node goes on by itself", "see the error; the node connects again by itself"},
	BrokerDropped: {"broker_dropped", warn, "messages of other nodes were dropped", "see the error; make subscribers faster, or raise the broker's buffer for a client"},
	BrokerSilent:  {"broker_silent", fault, "the broker has stopped delivering without a word; connecting again", "see the broker's own log"},
	MessagesMissed: {"messages_missed", warn, "messages of another node did not arrive",
		"see whether the broker, or a node's Buffer, has dropped messages; channels of the topic join again"},
	MessagesStale: {"messages_stale", debug, "message of another node dropped: it came twice or too late", "nothing"},
	DeliveryCrash: {"delivery_panic", fault, "delivery of a message panicked", "see the stack"},
	NameTaken:     {"name_taken", fault, "another running node has this node's name; give each node a name of its own", "give each node a name of its own"},
	NameLost: {"name_lost", fault, "this node no longer serves others: an older node has its name",
		"give each node a name of its own, and start this one again"},
	NameSilent: {"name_silent", warn, "something listens at the broker under this node's name and does not answer; it is taken for a node that has died",
		"nothing, if the machine of that node was lost; otherwise give each node a name of its own, and all nodes the same Secret"},
	TooManyNodes: {"too_many_nodes", warn, "a node was not taken note of: there are too many", "use at most 4,096 nodes in a cluster"},
	NodeSilent:   {"node_silent", warn, "a node has fallen silent", "see whether it runs; a node that is shut down says goodbye"},
	NodeUnanswered: {"node_unanswered", warn, "a node that is connected does not answer; this one starts without it",
		"give all nodes the same Prefix and Secret, and see whether that node runs"},
	NodeBack: {"node_back", warn, "a node that had fallen silent is back", "nothing; channels join again, since messages may have been missed"},
	NodeUnproved: {"node_unproved", info, "messages of a node that does not prove that it is alive were dropped",
		"nothing, if that node has just ended; otherwise find out who publishes old messages again below the prefix"},
	NodeVersion: {"node_version", warn, "a node of another version of this library is heard, and not understood",
		"run the same version on all nodes"},
	DisconnectsUntold: {"disconnects_untold", fault, "a disconnect could not be told to other nodes, or asked for: a connection that should be closed may be open",
		"see what the adapter says of the broker, and call Endpoint.Disconnect again for those who must be out"},

	HistoryUnsound: {"history_unsound", warn, "a message of a history was skipped: it is not an event with a JSON object or bytes, or its place cannot be",
		"keep others from publishing under the adapter's prefix and from writing to the store of the history; set the adapter's Secret"},
	HistoryRead: {"history_read", warn, "the store of a history did not answer; it is asked again",
		"see the error; until the store answers, clients of kept topics wait for what was missed"},
	HistoryBroke: {"history_broke", warn, "a history has broken: the store does not have messages that this node has; clients are told that they have lost some",
		"nothing, if the store was erased, restarted empty or restored, or this node was away for longer than the history reaches back; otherwise use a store that keeps what it has acknowledged"},
	HistoryStore: {"history_store", fault, "the store of the history gave an answer that cannot be",
		"see the error; keep others from writing to the store, and if it is your own, test it with package historytest"},
	HistoryLate: {"history_late", fault, "a call of the store of a history runs on after its time is over, and is not waited for",
		"if the store is your own, make its methods return soon after their context has ended; a message whose Append runs on keeps its topic from others of this node"},
	HistoryClosed: {"history_closed", fault, "join crashed: the history of its topic was closed",
		"close the Log after the connections, by Endpoint.OnShutdown(log.Close)"},
	HistoryUnavailable: {"history_unavailable", fault, "a broadcast on a kept topic was refused: the store did not take it",
		"see the error: if a context has ended, publish with one that lasts; otherwise see whether the store runs and can be reached; the program gets ErrUnavailable, and nobody got the message"},
	HistoryUnknown: {"history_unknown", fault, "it is not known whether the store has a broadcast",
		"see why the store is slow or away, or raise PublishTimeout of history.Options; with bennu.Key the program can publish the message again and it comes once"},
	HistoryBusy: {"history_busy", fault, "a broadcast on a kept topic was refused: too many of this node wait for the store",
		"see why the store is slow or away; it takes one message of a topic at a time from each node, so use more topics"},
	HistoryTooLarge: {"history_too_large", fault, "a broadcast on a kept topic was refused: it is too large to be kept",
		"send less at once, or raise Bytes of its history.Topic, or the limit of the store"},
	HistoryUntold: {"history_untold", warn, "a kept broadcast was not told to other nodes, or to a subscriber",
		"see the error; other nodes read it from the store with the next message of the topic, or after history.Options.Check"},
	HistoryForgotten: {"history_forgotten", warn, "the history of a topic was forgotten: the store in memory is full",
		"raise StoreBytes of history.Options, or lower Size, Bytes and Age of its Topics; clients that come back are told that they have lost their place"},
	HistoryForeign: {"history_foreign", warn, "a history in the store has records that bennu did not write; the history began anew, or goes on without these records",
		"keep others from writing under the Prefix of natshistory.Options or redishistory.Options; clients that miss something are told so"},
	HistoryCleaning: {"history_cleaning", warn, "old entries of a history were not removed from the store, or the time to keep the history was not prolonged",
		"see the error; the store is asked again with a later message, or within some hours"},

	TrackerMessage: {"tracker_message", warn, "a presence message of another node was dropped: it does not decode", "run the same version on all nodes"},
	TrackerRefused: {"tracker_refused", info, "a presence message of another node was refused: the node has ended, or has too many entries",
		"nothing, after a node was restarted; otherwise raise Limits.NodeEntries of presence"},
	TrackerSuperseded: {"tracker_superseded", warn, "other nodes know a later start of a node with this name: the entries of this node are announced to them again",
		"give each node a name of its own; nothing, if the clock of this machine was set back"},
	TrackerFull:   {"tracker_full", warn, "a presence message of another node was dropped: too many are waiting", "nothing: it is sent again; if it happens often, use more Shards"},
	TrackerHook:   {"tracker_hook", fault, "presence: a subscriber or the log panicked", "see the stack"},
	PresenceFull:  {"presence_full", warn, "an entry was refused: the topic is full", "raise Limits.Entries of presence, and see its option Large"},
	PresenceMeta:  {"presence_meta", warn, "an entry was refused: its meta is too large", "track less, or raise Limits.MetaBytes of presence"},
	PresenceRate:  {"presence_rate", info, "a change was refused: its connection makes too many", "track less often, or raise Limits.Burst and Rate of presence"},
	PresenceFetch: {"presence_fetch", fault, "Fetch failed: lists and diffs of presence are sent without its fields", "see the error; make Fetch faster, or raise FetchTimeout"},
	PresenceHook:  {"presence_hook", fault, "a hook of presence panicked", "see the stack"},
	PresenceForeign: {"presence_foreign", warn, "the meta of another node's entry is invalid, and sent to clients as {}",
		"run the same version on all nodes, and set the adapter's Secret where others may write to the broker"},
	PresenceSize: {"presence_size", warn, "a list of presence was not sent: one entry of it is larger than the client's queue",
		"track less, return less from Fetch, or raise MaxQueueBytes of WebSocket and MaxBufferBytes of long polling"},

	ClientEvent:         {"client_event", fault, "client: an event does not fit its callback", "take another type in On, or repair what the server sends"},
	ClientSlow:          {"client_slow", warn, "client: a callback is too slow for what the server sends", "make the callback faster, or raise Options.MaxQueued and MaxQueuedBytes"},
	ClientPresenceEvent: {"client_presence_event", fault, "presence: an event does not fit", "take another type of meta, or repair what the server sends"},
	ClientPresenceDiff:  {"client_presence_diff", warn, "presence: differences dropped: too many came before the list of the join", "let the server push presence_state after each join"},
	ClientPanic:         {"client_panic", fault, "client: panic", "see the stack"},
}
