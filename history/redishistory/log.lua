-- What the other scripts share; it stands before their texts. Others may have written to the keys of a log, so
-- its values are checked before they are used: an error in the middle of a script would leave a log half written.

-- int writes a number with all its digits.
local function int(x) return string.format('%.0f', x) end

-- whole returns the number that a text has, in any form that Lua reads, or nil if it is no integer from 0 on. Redis
-- scripts count with float64, which has integers up to 2^53.
local function whole(text)
	local n = tonumber(text or nil) -- an absent field of a hash is false
	return n and n >= 0 and n < 2 ^ 53 and n % 1 == 0 and n or nil
end

-- isEpoch reports whether a text is 8 characters of a-z and 2-7.
local function isEpoch(text) return #text == 8 and not string.find(text, '[^a-z2-7]') end

-- open reads the hash of a log: the epoch e, the head h, the number n of the entries and the bytes c of their payloads
-- in the epoch, the time t of the newest, the time to live x, and "number offset prev" of the last entry of a boot.
-- It returns nil if there is no log, and nil and true if others have changed the hash, which is no log then. All
-- numbers have room for another entry.
local function open(m)
	local epoch = m[1]
	if not epoch then return nil, (m[2] or m[3] or m[4] or m[5] or m[6] or m[7]) and true end
	local number, offset, prev
	if m[7] then
		number, offset, prev = string.match(m[7], '^(%d+) (%d+) (%d+)$')
		if not (whole(number) and whole(offset) and whole(prev)) then return nil, true end
		number = tonumber(number)
	end
	local head, count, bytes, time, ttl = whole(m[2]), whole(m[3]), whole(m[4]), whole(m[5] or 0), whole(m[6] or 0)
	if not (head and count and bytes and time and ttl and isEpoch(epoch)) then return nil, true end
	if head > 2 ^ 53 - 2048 or count > 2 ^ 40 - 2 or bytes > 2 ^ 47 or time > 2 ^ 47 then return nil, true end
	return {epoch = epoch, head = head, count = count, bytes = bytes, time = time, ttl = ttl, number = number, offset = offset, prev = prev}
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

