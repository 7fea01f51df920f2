-- Appends an entry to the log of a topic, or finds out that it must not.
--
-- KEYS: the hash of the log; its stream; the application's key, if there is one.
-- ARGV: see appendArgs in append.go.
-- Returns "ok" or "doubled" with epoch, offset and prev; "unknown"; or "conflict" with epoch and head.
local meta, stream, key = KEYS[1], KEYS[2], KEYS[3]
local boot, number, event, payload, binary, from = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local size, most, age, ttl = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local step, newEpoch, after, keyTTL = tonumber(ARGV[11]), ARGV[12], ARGV[13], ARGV[14]

-- Before Redis 7 a script that asks for the time must say that its effects are replicated.
if redis.replicate_commands then redis.replicate_commands() end

-- int writes a number with all its digits.
local function int(x) return string.format('%.0f', x) end

local m = redis.call('HMGET', meta, 'e', 'h', 'n', 'c', 't', 'x', 'b' .. boot)
local epoch, head = m[1], m[2] or '0'
local count, before, last = tonumber(m[3] or 0), tonumber(m[4] or 0), tonumber(m[5] or 0)

if number > 0 and m[7] then
	local newest, offset, prev = string.match(m[7], '^(%d+) (%d+) (%d+)$')
	if number == tonumber(newest) then return {'doubled', epoch, offset, prev} end
	if number < tonumber(newest) then
		for _, e in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 100)) do
			local step, _, _, _, kind, length, _, at = struct.unpack('>I2I5I6I6BBB', e[2][2])
			local its = struct.unpack('>I' .. math.floor(kind / 2), e[2][2], at)
			at = at + math.floor(kind / 2)
			if its == number and string.sub(e[2][2], at, at + length - 1) == boot then
				local offset = string.match(e[1], '^%d+')
				return {'doubled', epoch, offset, int(tonumber(offset) - step)}
			end
		end
		return {'unknown'}
	end
end
if key then
	local place = redis.call('GET', key)
	if place then
		local epoch, offset, prev = string.match(place, '^(%S+) (%d+) (%d+)$')
		return {'doubled', epoch, offset, prev}
	end
end
if after ~= '' and after ~= (epoch or '') .. ' ' .. head then return {'conflict', epoch or '', head} end

local time = redis.call('TIME')
local now = math.max(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), last)
local fresh = not epoch
if fresh then epoch = newEpoch end
local offset = int(tonumber(head) + step)
count = count + 1
-- The description of an entry: the difference to the offset before, the number of the entry in the epoch,
-- the bytes of payloads before it, the time, the kind, the lengths of boot and from, the number in as many
-- bytes as it needs, boot, from, and event. The kind is 1 for a binary payload, plus twice those bytes.
local width = 1
while number >= 256 ^ width do width = width + 1 end
local text = struct.pack('>I2I5I6I6BBBI' .. width, step, count, before, now, binary + 2 * width, #boot, #from, number) .. boot .. from .. event
local bytes = before + #payload
local fields = {'e', epoch, 'h', offset, 'n', int(count), 'c', int(bytes), 't', int(now), 'x', int(ttl)}
if number > 0 then
	fields[13], fields[14] = 'b' .. boot, int(number) .. ' ' .. offset .. ' ' .. head
end
-- Nothing was written so far. Where memory is short, the first write is refused, if it is one that needs
-- memory, and those after it are not.
redis.call('HSET', meta, unpack(fields))
if fresh then redis.call('DEL', stream) end -- of a log whose hash was evicted
local added = redis.pcall('XADD', stream, offset .. '-0', 'm', text, 'd', payload)
if type(added) == 'table' and added.err then
	redis.call('DEL', stream) -- it is not of this log: others have written it
	redis.call('XADD', stream, offset .. '-0', 'm', text, 'd', payload)
end
if key then redis.call('SET', key, epoch .. ' ' .. offset .. ' ' .. head, 'EX', keyTTL) end
if fresh or tonumber(m[6]) ~= ttl or redis.call('PTTL', meta) < ttl or redis.call('PTTL', stream) < ttl then
	redis.call('PEXPIRE', meta, int(ttl * 9 / 8))
	redis.call('PEXPIRE', stream, int(ttl * 9 / 8))
end

-- The numbers of at most 64 boots are kept, those that published last. The hash has 6 other fields.
if number > 0 and not m[7] and redis.call('HLEN', meta) > 64 + 6 then
	local all, oldest, name = redis.call('HGETALL', meta), math.huge, nil
	for i = 1, #all, 2 do
		local at = string.match(all[i + 1], '^%d+ (%d+) %d+$')
		if at and tonumber(at) < oldest then oldest, name = tonumber(at), all[i] end
	end
	if name then redis.call('HDEL', meta, name) end
end

-- Trimming waits until it is worth while, and removes at most about 1,000 entries at a time, since all
-- others wait for it. Read leaves out what is too old until then.
local part = math.max(most / 8, 1)
if count % 16 == 0 or math.floor(bytes / part) > math.floor(before / part) then
	local start, keep, looked = '-', nil, 0
	repeat
		local some = redis.call('XRANGE', stream, start, '+', 'COUNT', 20)
		for _, e in ipairs(some) do
			local _, n, c, t = struct.unpack('>I2I5I6I6', e[2][2])
			keep = count - n + 1
			if n == count or n > count - size and bytes - c <= most and now - t <= age then
				looked = math.huge
				break
			end
			start = string.match(e[1], '^%d+') .. '-1'
		end
		looked = looked + 20
	until looked > 1000 or #some == 0
	if start ~= '-' then redis.call('XTRIM', stream, 'MAXLEN', int(keep)) end
end
return {'ok', epoch, offset, head}
