-- A page of shared memory and the SCMI message in it. Which version is spoken no message tells: the newest one
-- whose table has just this length is taken, as trace lines do.

local DELAYED, NOTIFICATION = SCMI.types.DELAYED_RESPONSE, SCMI.types.NOTIFICATION
local AREA_BYTES, HEADER_AT, LENGTH_AT = PAGE.area_bytes, PAGE.header_at, PAGE.length_at

local scmi = Proto("scmi", "Arm SCMI message")
local scmi_malformed = ProtoExpert.new("scmi.malformed", "Malformed SCMI message", expert.group.MALFORMED, expert.severity.ERROR)
local scmi_failed = ProtoExpert.new("scmi.failed", "SCMI error status", expert.group.RESPONSE_CODE, expert.severity.NOTE)
local scmi_unknown = ProtoExpert.new("scmi.unknown", "No table describes it", expert.group.UNDECODED, expert.severity.NOTE)
scmi.experts = { scmi_malformed, scmi_failed, scmi_unknown }

local function hex_of(range)
	return (range:bytes():tohex(true))
end

-- What a header says: protocol and row of the tables, their names.
local function look_up(word)
	local function part(name) return bits_of(word, SCMI.spans[name][1], SCMI.spans[name][2]) end
	local head = { message = part("message_id"), kind = part("message_type"), protocol = part("protocol_id") }
	local protocol = PROTOCOLS[head.protocol]
	local rows = protocol and (head.kind == NOTIFICATION and protocol.notifications or protocol.commands)
	head.row = rows and rows[head.message]
	head.known = protocol
	head.name = (protocol and protocol.key or string.format("0x%02x", head.protocol))
		.. "." .. (head.row and head.row.name or string.format("0x%02x", head.message))
	return head
end

local function variants_of(head, is_reply)
	if not head.row then
		return nil
	elseif head.kind == NOTIFICATION then
		return head.row.payload
	elseif head.kind == DELAYED then
		return head.row.delayed
	end
	return is_reply and head.row.reply or head.row.request
end

-- The fields of a payload; returns them in words.
local function body(variants, tvb, at, past, tree, head)
	if not variants then
		if at < past then
			tree:add(FIELD[SCMI.payload], tvb(at, past - at))
			tree:add_proto_expert_info(scmi_unknown, head.name .. ": no table describes these bytes")
		end
		return at < past and hex_of(tvb(at, past - at)) or ""
	end
	for _, one in ipairs(variants) do
		if walk(LAYOUTS[one.layout], tvb, at, past, nil) == past then
			if one.version and at < past then
				tree:add(FIELD[SCMI.version], one.version):set_generated()
			end
			local _, words = walk(LAYOUTS[one.layout], tvb, at, past, tree)
			return words
		end
	end
	if at < past then
		tree:add(FIELD[SCMI.payload], tvb(at, past - at))
	end
	tree:add_proto_expert_info(scmi_malformed,
		string.format("%s: no version of the table has %d bytes here", head.name, past - at))
	return "malformed: " .. (at < past and hex_of(tvb(at, past - at)) or "no payload")
end

local function reply(head, tvb, at, past, tree)
	local size = SCMI.status_bytes
	if past - at < size then
		tree:add_proto_expert_info(scmi_malformed,
			string.format("%s: a response has at least %d bytes, its status", head.name, size))
		return head.name .. " malformed: " .. (at < past and hex_of(tvb(at, past - at)) or "no payload")
	end
	local range = tvb(at, size)
	local status = range:le_int()
	local name = VALUES[SCMI.statuses][status]
		or string.format(status <= -128 and "VENDOR(%d)" or "RESERVED(%d)", status)
	tree:add_le(FIELD[SCMI.status], range)
	if status ~= 0 then
		tree:add_proto_expert_info(scmi_failed, head.name .. ": " .. name)
		if past > at + size then
			tree:add(FIELD[SCMI.payload], tvb(at + size, past - at - size))
		end
		return head.name .. " " .. name
	end
	local words = body(variants_of(head, true), tvb, at + size, past, tree, head)
	return head.name .. " " .. name .. (words ~= "" and "(" .. words .. ")" or "")
end

-- The message in the page at ``at``; ``is_reply``: nil where only the header tells. Returns it in words.
local function dissect_page(tvb, at, past, root, is_reply)
	local area = root:add(scmi, tvb(at, past - at), "Shared-memory page")
	if past - at < AREA_BYTES then
		area:add_proto_expert_info(scmi_malformed,
			string.format("a page has at least %d bytes, this one %d", AREA_BYTES, past - at))
		return "malformed page"
	end
	walk(LAYOUTS[PAGE.layout], tvb, at, at + AREA_BYTES, area)
	local length = tvb(at + LENGTH_AT, 4):le_uint()
	local finish = at + HEADER_AT + length
	if length < AREA_BYTES - HEADER_AT or finish > past then
		area:add_proto_expert_info(scmi_malformed,
			string.format("length is %.0f, this page has room for 4 to %d", length, past - at - HEADER_AT))
		finish = math.max(at + AREA_BYTES, math.min(finish, past))
	end
	area:set_len(AREA_BYTES)
	local word = tvb(at + HEADER_AT, 4):le_uint()
	local head = look_up(word)
	local tree = root:add(scmi, tvb(at + HEADER_AT, finish - at - HEADER_AT))
	local item = tree:add_le(FIELD[SCMI.header], tvb(at + HEADER_AT, 4))
	for _, part in ipairs(SCMI.header_parts) do
		item:add_le(FIELD[part], tvb(at + HEADER_AT, 4))
	end
	tree:add(FIELD[SCMI.message], tvb(at + HEADER_AT, 4), head.name):set_generated()
	local payload, words = at + AREA_BYTES, nil
	if head.kind == NOTIFICATION then
		words = head.name .. "(" .. body(variants_of(head), tvb, payload, finish, tree, head) .. ")"
	elseif is_reply or (is_reply == nil and head.kind == DELAYED) then
		words = reply(head, tvb, payload, finish, tree)
	else
		words = head.name .. "(" .. body(variants_of(head, false), tvb, payload, finish, tree, head) .. ")"
	end
	tree:set_text("SCMI: " .. words)
	return words
end
