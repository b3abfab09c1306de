-- Fields of a table, read at an offset: ``walk`` measures a layout, or adds it to the tree and says it in words.

-- What ProtoField's functions take differs by kind.
local MAKE = {
	string = function(abbrev, name, _, _, _, text) return ProtoField.string(abbrev, name, nil, text) end,
	bytes = function(abbrev, name, _, _, _, text) return ProtoField.bytes(abbrev, name, nil, text) end,
	bool = function(abbrev, name, _, _, _, text) return ProtoField.bool(abbrev, name, nil, nil, nil, text) end,
	framenum = function(abbrev, name, kind) return ProtoField.framenum(abbrev, name, base.NONE, frametype[kind]) end,
	relative_time = function(abbrev, name) return ProtoField.relative_time(abbrev, name) end,
}

local function new_fields(described, values)
	local made = {}
	for number, one in ipairs(described) do
		local kind, abbrev, name, shown, names, mask, text = table.unpack(one, 1, 7)
		names = names and values[names]
		if MAKE[kind] then
			made[number] = MAKE[kind](abbrev, name, shown, names, mask, text)
		else
			made[number] = ProtoField[kind](abbrev, name, base[shown], names, mask, text)
		end
	end
	return made
end

local FIELD = new_fields(FIELDS, VALUES)

-- Lua numbers are doubles: what has 64 bits is an object of Wireshark's.
local READ = {
	u8 = function(range) return range:uint() end,
	u16 = function(range) return range:le_uint() end,
	u32 = function(range) return range:le_uint() end,
	i32 = function(range) return range:le_int() end,
	u64 = function(range) return range:le_uint64() end,
	i64 = function(range) return range:le_int64() end,
}

local function decimal(value)
	if type(value) == "number" then
		return string.format("%.0f", value)
	end
	return tostring(value)
end

-- By arithmetic: Wireshark comes with Lua 5.2 or 5.4, which have no common library for bits.
local function bits_of(word, high, low)
	return math.floor(word / 2 ^ low) % 2 ^ (high - low + 1)
end

-- As Python's repr has it.
local function quoted(text)
	local quote = (text:find("'", 1, true) and not text:find('"', 1, true)) and '"' or "'"
	text = text:gsub("\\", "\\\\"):gsub("\n", "\\n"):gsub("\r", "\\r"):gsub("\t", "\\t")
	if quote == "'" then
		text = text:gsub("'", "\\'")
	end
	text = text:gsub("[%z\1-\31\127]", function(one) return string.format("\\x%02x", one:byte()) end)
	return quote .. text .. quote
end

local function text_of(range)
	local raw = range:raw()
	raw = raw:match("^[^%z]*")
	return (raw:gsub("[\128-\255]", function(one) return string.format("\\x%02x", one:byte()) end))
end

-- One part of a word, in words.
local function part_words(part, value)
	if part.signed then
		local width = part.high - part.low + 1
		return decimal(value - bits_of(value, width - 1, width - 1) * 2 ^ width)
	end
	local names = part.names and VALUES[part.names]
	return names and names[value] or decimal(value)
end

local function scalar_words(row, value)
	if row.kind == "text" then
		return quoted(value)
	end
	local names = row.names and VALUES[row.names]
	local known = names and type(value) == "number" and names[value]
	if known then
		return known
	end
	if not row.bits then
		return decimal(value)
	end
	local told = {}
	for _, part in ipairs(row.bits) do
		local got = bits_of(value, part.high, part.low)
		if got ~= 0 then
			told[#told + 1] = part.name .. "=" .. part_words(part, got)
		end
	end
	return string.format("0x%x", value) .. (#told > 0 and "[" .. table.concat(told, ", ") .. "]" or "")
end

-- One field that is not an array; returns its value.
local function scalar(row, range, tree)
	if row.kind == "text" then
		local text = text_of(range)
		if tree then
			tree:add(FIELD[row.f], range, text)
		end
		return text
	end
	local value = READ[row.kind](range)
	if tree then
		local item = tree:add_le(FIELD[row.f], range)
		for _, part in ipairs(row.bits or {}) do
			item:add_le(FIELD[part.f], range)
		end
	end
	return value
end

local function holds(conditions, values)
	for _, one in ipairs(conditions or {}) do
		if bits_of(values[one[1]], one[2], one[2]) ~= one[3] then
			return false
		end
	end
	return true
end

local walk

-- The array at the end of a layout: returns where it ends and its words, or nil if it is cut off.
local function items(row, tvb, at, limit, values, tree)
	local wanted = row.count and bits_of(values[row.count[1]], row.count[2], row.count[3])
	local begin, found, words = at, 0, {}
	if not wanted and not row.item then
		wanted = math.floor((limit - at) / row.bytes)
	end
	if wanted and not row.item and at + wanted * row.bytes > limit then
		return nil
	end
	local list = nil
	if tree and at < limit and wanted ~= 0 then
		list = tree:add(tvb(at, limit - at), row.name)
	end
	while (wanted and found < wanted) or (not wanted and at < limit) do
		local told
		if row.item then
			local inner = list and list:add(tvb(at, limit - at), row.name .. "[" .. found .. "]")
			local past
			past, told = walk(LAYOUTS[row.item], tvb, at, limit, inner)
			if not past then
				return nil
			end
			if inner then
				inner:set_len(past - at)
				inner:append_text(": " .. told)
			end
			at, told = past, "(" .. told .. ")"
		else
			told = decimal(scalar(row, tvb(at, row.bytes), list))
			at = at + row.bytes
		end
		found = found + 1
		words[found] = told
	end
	if list then
		list:set_len(math.max(at - begin, 1))
		list:append_text(string.format(": %d item%s", found, found == 1 and "" or "s"))
	end
	return at, "[" .. table.concat(words, ", ") .. "]"
end

-- A layout at ``at``; without a tree it is only measured. Returns its end and its words, nil if it goes beyond.
function walk(layout, tvb, at, limit, tree)
	local begin, values, words = at, {}, {}
	for _, row in ipairs(layout) do
		if row.array then
			local told
			at, told = items(row, tvb, at, limit, values, tree)
			if not at then
				return nil
			end
			words[#words + 1] = row.name .. "=" .. told
			at = at + (begin - at) % (row.pad or 1)
		elseif holds(row.when, values) then
			if at + row.bytes > limit then
				return nil
			end
			values[row.name] = scalar(row, tvb(at, row.bytes), tree)
			words[#words + 1] = row.name .. "=" .. scalar_words(row, values[row.name])
			at = at + row.bytes
		else
			values[row.name] = 0
		end
	end
	if at > limit then
		return nil
	end
	return at, table.concat(words, ", ")
end
