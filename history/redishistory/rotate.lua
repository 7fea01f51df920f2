-- Begins a new epoch of a topic, if the epoch is still the current one.
--
-- KEYS: the hash of the log; its stream. ARGV: the epoch, the new one, and the time to live in ms, which
-- that of the log replaces.
local log = open(redis.call('HMGET', KEYS[1], 'e', 'h', 'n', 'c', 't', 'x'))
if (log and log.epoch or '') ~= ARGV[1] then return {0} end
redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1) -- fails if the key is no stream: it is not deleted then
local ttl = log and log.ttl > 0 and int(log.ttl) or ARGV[3]
redis.call('HSET', KEYS[1], 'x', ttl) -- refused where memory is short; after another write it would not be
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'e', ARGV[2], 'h', '0', 'n', '0', 'c', '0', 'x', ttl)
redis.call('PEXPIRE', KEYS[1], int(tonumber(ttl) * 9 / 8))
return {1}
