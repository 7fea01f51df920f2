-- Returns epoch and head of each topic, and keeps the logs from being forgotten. The epoch is "?" where others have
-- changed the hash, or have a key of another type there: that must not hide the heads of all other topics.
--
-- KEYS: the hash and the stream of each topic.
local reply = {}
for i = 1, #KEYS, 2 do
	local m = redis.pcall('HMGET', KEYS[i], 'e', 'h', 'n', 'c', 't', 'x')
	if m.err and not string.find(m.err, 'WRONGTYPE', 1, true) then return m end
	local log, foreign
	if m.err then foreign = true else log, foreign = open(m) end
	reply[i], reply[i + 1] = log and log.epoch or foreign and '?' or '', log and int(log.head) or '0'
	if log and redis.call('PTTL', KEYS[i]) < log.ttl then
		local longer = int(log.ttl * 9 / 8)
		redis.call('PEXPIRE', KEYS[i], longer)
		redis.call('PEXPIRE', KEYS[i + 1], longer)
	end
end
return reply
