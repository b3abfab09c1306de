-- A msgpack reader: what is at an offset, as a node {kind, at, past, value}; nil for what is cut off or not known.

local DEPTH_MAX = 8
local ITEMS_MAX = 65536
local FIXED = { -- first byte: kind, bytes of the value
	[0xcc] = { "int", 1 }, [0xcd] = { "int", 2 }, [0xce] = { "int", 4 }, [0xcf] = { "int", 8 },
	[0xd0] = { "signed", 1 }, [0xd1] = { "signed", 2 }, [0xd2] = { "signed", 4 }, [0xd3] = { "signed", 8 },
}
local SIZED = { -- first byte: kind, bytes of the length
	[0xc4] = { "bytes", 1 }, [0xc5] = { "bytes", 2 }, [0xc6] = { "bytes", 4 },
	[0xd9] = { "string", 1 }, [0xda] = { "string", 2 }, [0xdb] = { "string", 4 },
	[0xdc] = { "array", 2 }, [0xdd] = { "array", 4 }, [0xde] = { "map", 2 }, [0xdf] = { "map", 4 },
}

local unpack_at

local function content(kind, count, tvb, at, start, limit, depth)
	if kind == "bytes" or kind == "string" then
		if start + count > limit then
			return nil
		end
		local range = count > 0 and tvb(start, count) or nil
		return { kind = kind, at = at, past = start + count, range = range, value = range and range:raw() or "" }
	end
	local found, past = {}, start
	local wanted = kind == "map" and 2 * count or count
	if wanted > ITEMS_MAX or depth >= DEPTH_MAX then
		return nil
	end
	for number = 1, wanted do
		local item = unpack_at(tvb, past, limit, depth + 1)
		if not item then
			return nil
		end
		found[number], past = item, item.past
	end
	return { kind = kind, at = at, past = past, items = found }
end

-- Integers are UInt64, negative ones Int64; ``number`` is what Lua makes of them.
local function integer(value, at, past)
	return { kind = "int", at = at, past = past, value = value, number = value:tonumber() }
end

function unpack_at(tvb, at, limit, depth)
	if at >= limit then
		return nil
	end
	local first = tvb(at, 1):uint()
	if first < 0x80 then
		return integer(UInt64(first, 0), at, at + 1)
	elseif first < 0x90 then
		return content("map", first - 0x80, tvb, at, at + 1, limit, depth)
	elseif first < 0xa0 then
		return content("array", first - 0x90, tvb, at, at + 1, limit, depth)
	elseif first < 0xc0 then
		return content("string", first - 0xa0, tvb, at, at + 1, limit, depth)
	elseif first == 0xc0 then
		return { kind = "nil", at = at, past = at + 1 }
	elseif first == 0xc2 or first == 0xc3 then
		return { kind = "bool", at = at, past = at + 1, value = first == 0xc3 }
	elseif first >= 0xe0 then
		return integer(tvb(at, 1):int64(), at, at + 1)
	end
	local fixed, sized = FIXED[first], SIZED[first]
	local width = (fixed or sized or {})[2]
	if not width or at + 1 + width > limit then
		return nil
	end
	local range = tvb(at + 1, width)
	if sized then
		return content(sized[1], range:uint(), tvb, at, at + 1 + width, limit, depth)
	end
	local value = range:uint64()
	if fixed[1] == "signed" and range:int64():tonumber() < 0 then
		value = range:int64()
	end
	return integer(value, at, at + 1 + width)
end

-- How many characters a text has; nil if it is not UTF-8 (Unicode, table 3-7).
local FOLLOWING = {
	{ 0x00, 0x7f, "" }, { 0xc2, 0xdf, "[\128-\191]" }, { 0xe0, 0xe0, "[\160-\191][\128-\191]" },
	{ 0xe1, 0xec, "[\128-\191][\128-\191]" }, { 0xed, 0xed, "[\128-\159][\128-\191]" },
	{ 0xee, 0xef, "[\128-\191][\128-\191]" }, { 0xf0, 0xf0, "[\144-\191][\128-\191][\128-\191]" },
	{ 0xf1, 0xf3, "[\128-\191][\128-\191][\128-\191]" }, { 0xf4, 0xf4, "[\128-\143][\128-\191][\128-\191]" },
}

local function characters(text)
	local at, count = 1, 0
	while at <= #text do
		local first, past = text:byte(at), nil
		for _, one in ipairs(FOLLOWING) do
			if first >= one[1] and first <= one[2] then
				_, past = text:find("^" .. one[3], at + 1)
				past = one[3] == "" and at or past
			end
		end
		if not past then
			return nil
		end
		at, count = past + 1, count + 1
	end
	return count
end

local SHOW -- how a value that fits its schema goes into the tree, and its words

-- ``node`` as ``schema`` has it: adds it to the tree. Returns its words, or nil and what is wrong with it.
local function show(schema, node, tvb, tree)
	if schema.nullable and node.kind == "nil" then
		return "None"
	end
	if node.kind ~= schema.kind then
		return nil, schema.name .. " is a " .. node.kind .. ", not a " .. schema.kind
	end
	return SHOW[schema.kind](schema, node, tvb, tree, tvb(node.at, node.past - node.at))
end

local function length_is_wrong(schema, length)
	return (schema.max and length > schema.max) or (schema.min and length < schema.min)
end

-- A map by its schema: ``of`` chooses the fields by the value of a key, else they are ``keys``.
local function show_map(schema, node, tvb, tree, range)
	local values, keys = {}, schema.keys
	for number = 1, #node.items, 2 do
		if node.items[number].kind ~= "string" or not characters(node.items[number].value) then
			return nil, schema.name .. " has a key that is no text"
		end
		values[node.items[number].value] = node.items[number + 1]
	end
	local words = {}
	if schema.tag then
		local tag = values[schema.tag]
		keys = tag and tag.kind == "string" and schema.of[tag.value]
		if not keys then
			return nil, schema.name .. " is of no known " .. schema.tag
		end
		tree:add(FIELD[schema.f], tvb(tag.at, tag.past - tag.at), tag.value)
		words[1] = tag.value
		values[schema.tag] = nil
	end
	local inner = schema.tag and tree or tree:add(range, schema.name)
	for _, one in ipairs(keys) do
		local value = values[one.name]
		if value then
			local told, wrong = show(one, value, tvb, inner)
			if not told then
				return nil, wrong
			end
			words[#words + 1] = one.name .. "=" .. told
		elseif not one.optional then
			return nil, schema.name .. " lacks " .. one.name
		end
		values[one.name] = nil
	end
	if next(values) then
		return nil, schema.name .. " has an unknown key, " .. next(values)
	end
	local text = table.concat(words, " ")
	if inner ~= tree then
		inner:append_text(": " .. text)
	end
	return text
end

SHOW = {
	int = function(schema, node, tvb, tree, range)
		local value = node.value
		local negative = node.number < 0
		if (negative and not schema.signed) or length_is_wrong(schema, node.number) then
			return nil, schema.name .. " is " .. tostring(value) .. ", out of range"
		end
		if schema.only and not schema.only[node.number] then
			return nil, schema.name .. " is " .. tostring(value) .. ", which is none of its values"
		end
		if schema.signed and not negative then
			value = Int64(value:lower(), value:higher())
		end
		tree:add(FIELD[schema.f], range, value)
		if schema.hex then
			return "0x" .. (value:tohex():gsub("^0+(%x)", "%1"))
		end
		return tostring(value)
	end,
	string = function(schema, node, tvb, tree, range)
		local count = characters(node.value)
		if not count or length_is_wrong(schema, count) then
			return nil, schema.name .. (count and " has " .. count .. " characters" or " is not UTF-8")
		end
		tree:add(FIELD[schema.f], range, node.value)
		return node.value
	end,
	bytes = function(schema, node, tvb, tree, range)
		if length_is_wrong(schema, #node.value) then
			return nil, schema.name .. " has " .. #node.value .. " bytes"
		end
		if node.range then
			tree:add(FIELD[schema.f], node.range)
		end
		return #node.value .. " bytes"
	end,
	bool = function(schema, node, tvb, tree, range)
		tree:add(FIELD[schema.f], range, node.value)
		return node.value and "True" or "False"
	end,
	array = function(schema, node, tvb, tree, range)
		if schema.items and #node.items ~= #schema.items then
			return nil, schema.name .. " has " .. #node.items .. " items, not " .. #schema.items
		end
		local inner, words = tree:add(range, schema.name), {}
		for number, item in ipairs(node.items) do
			local told, wrong = show(schema.each or schema.items[number], item, tvb, inner)
			if not told then
				return nil, wrong
			end
			words[number] = told
		end
		inner:append_text(string.format(": %d item%s", #node.items, #node.items == 1 and "" or "s"))
		return "(" .. table.concat(words, ", ") .. ")", nil
	end,
	map = show_map,
}
