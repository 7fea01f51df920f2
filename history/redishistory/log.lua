-- What the other scripts share; it stands before their texts. Others may have written to the keys of a log, so
-- its values are checked before they are used: an error in the middle of a script would leave a log half written.

-- int writes a number with all its digits.
local function int(x) return string.format('%.0f', x) end

-- whole returns the number that a text has, or nil. Redis scripts count with float64, which has integers up to 2^53.
local function whole(text)
	if not text or #text > 16 or string.find(text, '%D') then return nil end
	local n = tonumber(text)
	return n and n < 2 ^ 53 and n or nil
end

-- isEpoch reports whether a text is 8 characters of a-z and 2-7.
local function isEpoch(text) return #text == 8 and not string.find(text, '[^a-z2-7]') end

-- open reads the hash of a log: the epoch e, the head h, the number n of the entries and the bytes c of their payloads
-- in the epoch, the time t of the newest, the time to live x, and "number offset prev" of the last entry of a boot.
-- It returns nil if there is no log, and nil and true if others have changed the hash, which is no log then. All
-- numbers have room for another entry.
local function open(m)
	if not m[1] then return nil, (m[2] or m[3] or m[4] or m[5] or m[6] or m[7]) and true end
	local log = {epoch = m[1], head = whole(m[2]), count = whole(m[3]), bytes = whole(m[4]), time = whole(m[5] or '0'), ttl = whole(m[6] or '0')}
	if not (isEpoch(log.epoch) and log.head and log.count and log.bytes and log.time and log.ttl) then return nil, true end
	if log.head > 2 ^ 53 - 2048 or log.count > 2 ^ 40 - 2 or log.bytes > 2 ^ 47 or log.time > 2 ^ 47 then return nil, true end
	if m[7] then
		local number, offset, prev = string.match(m[7], '^(%d+) (%d+) (%d+)$')
		log.number, log.offset, log.prev = whole(number), offset, prev
		if not (log.number and whole(offset) and whole(prev)) then return nil, true end
	end
	return log
end

-- described reads the description of an entry; see append.lua. It returns the step, the number of the entry, the bytes
-- before it, its time, the number of its boot, and the boot, or nothing if others have written the entry.
local function described(e)
	local f = e[2]
	if #f ~= 4 or f[1] ~= 'm' or f[3] ~= 'd' or not string.find(e[1], '^%d+%-0$') then return nil end
	local text = f[2]
	if #text < 22 or #text > 2048 then return nil end
	local step, n, c, t, kind, boot, from, at = struct.unpack('>I2I5I6I6BBB', text)
	local width = math.floor(kind / 2)
	if step == 0 or width == 0 or width > 8 or #text < 22 + width + boot + from then return nil end
	local number = struct.unpack('>I' .. width, text, at)
	return step, n, c, t, number, string.sub(text, at + width, at + width + boot - 1)
end

-- offsetOf returns the offset of an entry, which is its id.
local function offsetOf(e) return tonumber(string.match(e[1], '^%d+')) end

