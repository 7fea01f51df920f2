-- Reads entries of the log of a topic, of one moment.
--
-- KEYS: the hash of the log; its stream.
-- ARGV: see readArgs in read.go.
-- Returns epoch, head, oldest, 1 if the place is known, 1 if more entries follow (or precede), 1 if others have
-- written to the log, and then the id, the description and the payload of each entry, with "newest" the last one first.
local meta, stream = KEYS[1], KEYS[2]
local newest, place, limit, room = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local size, most, age = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local log, foreign = open(redis.call('HMGET', meta, 'e', 'h', 'n', 'c', 't', 'x'))
if not log then return {'', '0', '0', (place == 0 or newest) and 1 or 0, 0, foreign and 1 or 0} end
local head, count, bytes = log.head, log.count, log.bytes
local time = redis.call('TIME')
local now = math.max(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), log.time)
local hopeless = false -- too much is of others

local function prevOf(e) return offsetOf(e) - (described(e) or 0) end
local function kept(e)
	local step, n, c, t = described(e)
	if not step or offsetOf(e) > head then
		hopeless = true
		return false
	end
	return n > count - size and bytes - c <= most and now - t <= age
end
-- from is the first entry at an offset or after it. Some of others are passed.
local function from(x)
	local e = redis.call('XRANGE', stream, int(x), '+', 'COUNT', 1)[1]
	if e and not described(e) then
		foreign = true
		for _, other in ipairs(redis.call('XRANGE', stream, int(x), '+', 'COUNT', 20)) do
			if described(other) then return other end
		end
	end
	return e
end
-- nothing is the answer without entries: only the head is known.
local function nothing() return {log.epoch, int(head), int(head), (newest or place == head) and 1 or 0, 0, 1} end

-- The kept entries are the newest ones, so the oldest of them is found by halving.
local first = from(0)
if first and not kept(first) then
	local low, high = offsetOf(first) + 1, head
	first = nil
	while low <= high do
		local middle = math.floor((low + high) / 2)
		local e = from(middle)
		if not e then
			high = middle - 1
		elseif kept(e) then
			first, high = e, middle - 1
		else
			low = offsetOf(e) + 1
		end
	end
end
if hopeless then return nothing() end
local oldest = first and prevOf(first) or head

local known = newest or place == head or place == oldest
if not known and first and place >= offsetOf(first) and place < head then
	local e = from(place)
	known = e and offsetOf(e) == place
end
local reply = {log.epoch, int(head), int(oldest), known and 1 or 0, 0, foreign and 1 or 0}
if not known or not first then return reply end

local start, stop = int(place + 1), nil
if newest then start, stop = int(offsetOf(first)), place == 0 and '+' or int(place - 1) end
local taken, used, last, full, passed = 0, 0, nil, false, 0
local usual = math.max(bytes / math.max(count, 1), 1) -- bytes of a payload
while not full and taken < limit do
	-- About as many as fit, since payloads that are not used cost memory, too.
	local chunk = math.min(limit - taken, 50, math.floor(math.max(room - used, 0) / usual) + 1)
	local some
	if newest then
		some = redis.call('XREVRANGE', stream, stop, start, 'COUNT', chunk)
	else
		some = redis.call('XRANGE', stream, start, '+', 'COUNT', chunk)
	end
	for _, e in ipairs(some) do
		if described(e) then
			used = used + #e[2][4]
			if used > room and taken > 0 then
				full = true
				break
			end
			local i = #reply
			reply[i + 1], reply[i + 2], reply[i + 3] = e[1], e[2][2], e[2][4]
			taken, last = taken + 1, e
		else
			passed = passed + 1
		end
	end
	if passed > 1000 then return nothing() end
	if #some < chunk then break end
	local id = some[#some][1]
	local offset = tonumber(string.match(id, '^%d+'))
	if not newest then
		start = int(offset + 1)
	elseif string.find(id, '-0', 1, true) then
		stop = int(offset - 1)
	else
		stop = int(offset) .. '-0'
	end
end
if passed > 0 then reply[6] = 1 end
if last and newest then
	reply[5] = prevOf(last) ~= oldest and 1 or 0
elseif last then
	reply[5] = offsetOf(last) ~= head and 1 or 0
end
return reply
