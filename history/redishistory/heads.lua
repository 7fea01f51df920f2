-- Returns epoch and head of each topic, and keeps the logs from being forgotten.
--
-- KEYS: the hash and the stream of each topic.
local reply = {}
for i = 1, #KEYS, 2 do
	local m = redis.call('HMGET', KEYS[i], 'e', 'h', 'x')
	reply[i], reply[i + 1] = m[1] or '', m[2] or '0'
	local ttl = tonumber(m[3] or 0)
	if m[1] and redis.call('PTTL', KEYS[i]) < ttl then
		local longer = string.format('%.0f', ttl * 9 / 8)
		redis.call('PEXPIRE', KEYS[i], longer)
		redis.call('PEXPIRE', KEYS[i + 1], longer)
	end
end
return reply
