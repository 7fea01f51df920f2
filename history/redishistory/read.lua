-- Reads entries of the log of a topic, of one moment.
--
-- KEYS: the hash of the log; its stream.
-- ARGV: see readArgs in read.go.
-- Returns epoch, head, oldest, 1 if the place is known, 1 if more entries follow (or precede), and then
-- the id, the description and the payload of each entry, with "newest" the last one first.
local meta, stream = KEYS[1], KEYS[2]
local newest, place, limit, room = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local size, most, age = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local function int(x) return string.format('%.0f', x) end

local m = redis.call('HMGET', meta, 'e', 'h', 'n', 'c', 't')
if not m[1] then return {'', '0', '0', (place == 0 or newest) and 1 or 0, 0} end
local head, count, bytes = tonumber(m[2]), tonumber(m[3]), tonumber(m[4])
local time = redis.call('TIME')
local now = math.max(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), tonumber(m[5] or 0))

local function offsetOf(e) return tonumber(string.match(e[1], '^%d+')) end
local function prevOf(e) return offsetOf(e) - struct.unpack('>I2', e[2][2]) end
local function kept(e)
	local _, n, c, t = struct.unpack('>I2I5I6I6', e[2][2])
	return n > count - size and bytes - c <= most and now - t <= age
end
-- from is the first entry at an offset or after it.
local function from(x) return redis.call('XRANGE', stream, int(x), '+', 'COUNT', 1)[1] end

-- The kept entries are the newest ones, so the oldest of them is found by halving.
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
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
local oldest = first and prevOf(first) or head

local known = newest or place == head or place == oldest
if not known and first and place >= offsetOf(first) and place < head then
	local e = from(place)
	known = e and offsetOf(e) == place
end
local reply = {m[1], m[2], int(oldest), known and 1 or 0, 0}
if not known or not first then return reply end

local start, stop = place + 1, nil
if newest then start, stop = offsetOf(first), place == 0 and '+' or int(place - 1) end
local taken, used, last, full = 0, 0, nil, false
local usual = math.max(bytes / count, 1) -- bytes of a payload
while not full and taken < limit do
	-- About as many as fit, since payloads that are not used cost memory, too.
	local chunk = math.min(limit - taken, 50, math.floor(math.max(room - used, 0) / usual) + 1)
	local some
	if newest then
		some = redis.call('XREVRANGE', stream, stop, int(start), 'COUNT', chunk)
	else
		some = redis.call('XRANGE', stream, int(start), '+', 'COUNT', chunk)
	end
	for _, e in ipairs(some) do
		used = used + #e[2][4]
		if used > room and taken > 0 then
			full = true
			break
		end
		local i = #reply
		reply[i + 1], reply[i + 2], reply[i + 3] = e[1], e[2][2], e[2][4]
		taken, last = taken + 1, e
	end
	if #some < chunk then break end
	if newest then stop = int(offsetOf(last) - 1) else start = offsetOf(last) + 1 end
end
if last and newest then
	reply[5] = prevOf(last) ~= oldest and 1 or 0
elseif last then
	reply[5] = offsetOf(last) ~= head and 1 or 0
end
return reply
