-- Tries every command of the other scripts, and leaves nothing behind.
--
-- KEYS: a hash, a stream and a string that are used for nothing else.
if redis.replicate_commands then redis.replicate_commands() end
redis.call('TIME')
redis.call('HSET', KEYS[1], 'a', '1', 'b', '2')
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HMGET', KEYS[1], 'a')
redis.call('HLEN', KEYS[1])
redis.call('HGETALL', KEYS[1])
redis.call('HDEL', KEYS[1], 'a')
redis.call('XADD', KEYS[2], '1-0', 'm', '1')
redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
redis.call('XTRIM', KEYS[2], 'MAXLEN', '1')
redis.call('PEXPIRE', KEYS[1], '60000')
redis.call('PTTL', KEYS[1])
redis.call('SET', KEYS[3], '1', 'EX', '60')
redis.call('GET', KEYS[3])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return {1}
