-- Appends an entry to the log of a topic, or finds out that it must not.
--
-- KEYS: the hash of the log; its stream; the application's key, if there is one.
-- ARGV: see appendArgs in append.go.
-- Returns "ok" with epoch, offset and prev, and a note: "foreign" if others have written to the log, or an error of
-- tidying up, or ""; "doubled" with epoch, offset and prev; "unknown"; or "conflict" with epoch and head.
local meta, stream, key = KEYS[1], KEYS[2], KEYS[3]
local boot, number, event, payload, binary, from = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local size, most, age, ttl = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local longer = math.floor(ttl * 9 / 8)
local step, newEpoch, after, keyTTL = tonumber(ARGV[11]), ARGV[12], ARGV[13], ARGV[14]

-- Before Redis 7 a script that asks for the time must say that its effects are replicated.
if redis.replicate_commands then redis.replicate_commands() end

local names = {'e', 'h', 'n', 'c', 't', 'x', 'b' .. boot}
local m = redis.call('HMGET', meta, unpack(names))
local log, foreign = open(m)
local epoch, head = log and log.epoch, log and int(log.head) or '0'

if number > 0 and log and log.number then
	if number == log.number then return {'doubled', epoch, log.offset, log.prev} end
	if number < log.number then
		for _, e in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 100)) do
			local step, _, _, _, its, name = described(e)
			if its == number and name == boot then
				return {'doubled', epoch, int(offsetOf(e)), int(offsetOf(e) - step)}
			end
		end
		return {'unknown'}
	end
end
if key then
	local place = redis.call('GET', key)
	if place then
		local epoch, offset, prev = string.match(place, '^(%S+) (%d+) (%d+)$')
		if not (epoch and isEpoch(epoch) and whole(offset) and whole(prev)) then
			return redis.error_reply('WRONGTYPE the value of a key of the application is not that of history')
		end
		return {'doubled', epoch, offset, prev}
	end
end
if after ~= '' and after ~= (epoch or '') .. ' ' .. head then return {'conflict', epoch or '', head} end

local time = redis.call('TIME')
local now = math.max(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), log and log.time or 0)
local fresh = not log
if fresh then
	epoch = newEpoch
	redis.call('XRANGE', stream, '-', '+', 'COUNT', 1) -- fails if the key is no stream: it is not deleted then
end
local offset = int(tonumber(head) + step)
local count, before = (log and log.count or 0) + 1, log and log.bytes or 0
-- The description of an entry: the difference to the offset before, the number of the entry in the epoch,
-- the bytes of payloads before it, the time, the kind, the lengths of boot and from, the number in as many
-- bytes as it needs, boot, from, and event. The kind is 1 for a binary payload, plus twice those bytes.
local width = 1
while number >= 256 ^ width do width = width + 1 end
local text = struct.pack('>I2I5I6I6BBBI' .. width, step, count, before, now, binary + 2 * width, #boot, #from, number) .. boot .. from .. event
local bytes = before + #payload
-- Redis writes integral numbers with all their digits.
local fields = {'e', epoch, 'h', offset, 'n', count, 'c', bytes, 't', now, 'x', ttl}
if number > 0 then
	fields[13], fields[14] = names[7], int(number) .. ' ' .. offset .. ' ' .. head
end

-- These two have all that they need as parameters: values that a function shares with its surroundings cost more.

-- failed returns an answer of Redis if it is an error.
local function failed(answer) return type(answer) == 'table' and answer.err and answer end
-- remake leaves nothing in the stream but the entry: the rest is not all of this log.
local function remake(stream, id, text, payload)
	return failed(redis.pcall('DEL', stream)) or failed(redis.pcall('XADD', stream, id, 'm', text, 'd', payload))
end

-- Nothing was written so far. Where memory is short, the first write is refused, if it is one that needs
-- memory, and those after it are not.
redis.call('HSET', meta, unpack(fields))
if fresh then
	if foreign then
		redis.call('DEL', meta) -- it has fields of others
		redis.call('HSET', meta, unpack(fields))
	end
	redis.call('DEL', stream) -- of a log whose hash was evicted, or changed by others
end
local problem = key and failed(redis.pcall('SET', key, epoch .. ' ' .. offset .. ' ' .. head, 'EX', keyTTL))
if not problem then
	local id = offset .. '-0'
	problem = failed(redis.pcall('XADD', stream, id, 'm', text, 'd', payload))
	-- The stream has an id above the head, or the highest there is.
	if problem and (string.find(problem.err, 'ID specified', 1, true) or string.find(problem.err, 'possible ID', 1, true)) then
		foreign, problem = true, remake(stream, id, text, payload)
	end
end
if problem then -- such as a permission that was withdrawn; the log becomes what it was
	if key then redis.pcall('DEL', key) end
	if fresh then redis.pcall('DEL', meta) end
	for i = 1, fresh and 0 or 7 do
		if m[i] then
			redis.pcall('HSET', meta, names[i], m[i])
		elseif i < 7 or number > 0 then
			redis.pcall('HDEL', meta, names[i])
		end
	end
	return problem
end

-- What is due beside the append: the log must not expire, its hash not grow, and old entries go. The stream
-- never has a longer time to live than the hash. Nothing that fails from here on is an error of the append.
local left = fresh and 0 or redis.pcall('PTTL', stream)
local short = type(left) ~= 'number' or left < ttl or log.ttl ~= ttl
local boots = number > 0 and not (log and log.number)
local part = math.max(most / 8, 1)
local full = count % 16 == 0 or math.floor(bytes / part) > math.floor(before / part)
if not (short or boots or full) then return {'ok', epoch, offset, head, foreign and 'foreign' or ''} end

-- forget bounds the boots. The numbers of at most 64 are kept, those that published last. The hash has 6 other fields.
local function forget()
	local has = redis.call('HLEN', meta)
	if has <= 64 + 6 then return end
	if has > 1000 then -- of others; all of them would be much to look at
		foreign = true
		redis.call('DEL', meta)
		redis.call('HSET', meta, unpack(fields))
		redis.call('PEXPIRE', meta, longer)
		return
	end
	local all, oldest, name = redis.call('HGETALL', meta), math.huge, nil
	for i = 1, #all, 2 do
		local at = string.match(all[i + 1], '^%d+ (%d+) %d+$')
		if at and tonumber(at) < oldest then oldest, name = tonumber(at), all[i] end
	end
	if name then redis.call('HDEL', meta, name) end
end

-- trim waits until it is worth while, and removes at most about 1,000 entries at a time, since all others wait
-- for it. Read leaves out what is too old until then.
local function trim()
	local start, keep, looked = '-', nil, 0
	repeat
		local some = redis.call('XRANGE', stream, start, '+', 'COUNT', 20)
		for _, e in ipairs(some) do
			local step, n, c, t = described(e)
			if not step then
				foreign = true
				remake(stream, offset .. '-0', text, payload)
				return
			end
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

local ok, err = pcall(function()
	if short then
		redis.call('PEXPIRE', meta, longer)
		redis.call('PEXPIRE', stream, longer)
	end
	if boots then forget() end
	if full then trim() end
end)
local note = ok and '' or type(err) == 'table' and err.err or tostring(err)
return {'ok', epoch, offset, head, foreign and 'foreign' or note}
