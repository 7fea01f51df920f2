// Package redisconn connects to Redis, or Valkey: a single server, a master with Sentinels, or a Redis
// Cluster. It checks the options that say where the servers are, opens connections that never connect
// again by themselves, and explains errors without passwords. What is sent is left to its users.
package redisconn
