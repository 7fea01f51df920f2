-- Begins a new epoch of a topic, if the epoch is still the current one.
--
-- KEYS: the hash of the log; its stream. ARGV: the epoch, the new one, and the time to live in ms, which
-- that of the log replaces.
local m = redis.call('HMGET', KEYS[1], 'e', 'x')
if (m[1] or '') ~= ARGV[1] then return {0} end
local ttl = m[2] or ARGV[3]
redis.call('HSET', KEYS[1], 'x', ttl) -- refused where memory is short; after another write it would not be
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'e', ARGV[2], 'h', '0', 'n', '0', 'c', '0', 'x', ttl)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ttl) * 9 / 8))
return {1}
