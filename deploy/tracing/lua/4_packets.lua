-- A packet of a capture: who saw what, the envelope, the page; requests and answers find one another.

local trapline = Proto("trapline", "Trapline")
local smccc = Proto("smccc", "Arm SMC calling convention")
local malformed = ProtoExpert.new("trapline.malformed", "Malformed frame", expert.group.MALFORMED, expert.severity.ERROR)
local unreached = ProtoExpert.new("trapline.unreached", "Reached nobody", expert.group.SEQUENCE, expert.severity.WARN)
trapline.experts = { malformed, unreached }

local function fields_of(prefix)
	local found = {}
	for number, one in ipairs(FIELDS) do
		if one[2]:sub(1, #prefix + 1) == prefix .. "." then
			found[#found + 1] = FIELD[number]
		end
	end
	return found
end

trapline.fields, scmi.fields, smccc.fields = fields_of("trapline"), fields_of("scmi"), fields_of("smccc")

-- ---- who answers whom ----------------------------------------------------------------------------

local open, pairs_of, traps, carried, domains

function trapline.init()
	open = {} -- key of a request: its frame number and time
	pairs_of = {} -- frame number: {request =, answer =, since =, nanoseconds between}
	traps = {} -- cause and function of a trap: frames that no SMC carried on yet, the oldest first
	carried = {} -- frame number of an SMC: that of the trap
	domains = {} -- frame number: whose it is
end

local function pair(number)
	pairs_of[number] = pairs_of[number] or {}
	return pairs_of[number]
end

-- On the first pass: remember a request, or give an answer its request.
local function link(frame, node, peer, request, number, at_ns)
	if frame.asks then
		open[peer .. ">" .. node .. ">" .. frame.asks .. ">" .. request] = { number, at_ns }
	end
	for _, kind in ipairs(frame.answers or {}) do
		local key = node .. ">" .. peer .. ">" .. kind .. ">" .. request
		local found = open[key]
		if found then
			open[key] = nil
			pair(number).request, pair(number).took = found[1], at_ns - found[2]
			pair(found[1]).answer = number
			domains[number] = domains[number] or domains[found[1]]
			return
		end
	end
end

local function follow(frame, cause, call, number)
	local key = cause .. ">" .. call
	if frame.name == "trap" then
		traps[key] = traps[key] or {}
		table.insert(traps[key], number)
	elseif traps[key] then
		carried[number] = table.remove(traps[key], 1)
		domains[number] = domains[carried[number]]
		if #traps[key] == 0 then
			traps[key] = nil
		end
	end
end

local function add_links(tree, number)
	local found = pairs_of[number] or {}
	if found.answer then
		tree:add(FIELD[CAPTURE.answer_in], found.answer):set_generated()
	end
	if found.request then
		tree:add(FIELD[CAPTURE.request_in], found.request):set_generated()
		local took = NSTime.new(math.floor(found.took / 1e9), found.took % 1e9)
		tree:add(FIELD[CAPTURE.response_time], took):set_generated()
	end
	if carried[number] then
		tree:add(FIELD[CAPTURE.trap_in], carried[number]):set_generated()
	end
end

-- ---- the envelope --------------------------------------------------------------------------------

-- x0 of a call is the function that is called.
local function add_function(tree, node, tvb)
	local number = node.value:lower()
	local range = tvb(node.at, node.past - node.at)
	local item = tree:add(FIELD[SMC["function"]], range, number)
	item:append_text(VALUES[SMC.names][number] and " " .. VALUES[SMC.names][number] or "")
	for _, part in ipairs(SMC.parts) do
		item:add(FIELD[part], range, number)
	end
end

-- Returns the frame's row of the table, its words, its nodes; or nil and what is wrong.
local function envelope(tvb, at, past, tree)
	local root = unpack_at(tvb, at, past, 0)
	if not root or root.kind ~= "array" or root.past ~= past then
		return nil, "no msgpack array"
	end
	local kind = root.items[1]
	local frame = kind and kind.kind == "int" and FRAMES[kind.number]
	if not frame then
		return nil, "an unknown kind of frame"
	elseif #root.items - 1 ~= #frame.items then
		return nil, string.format("%s has %d items, not %d", frame.name, #root.items - 1, #frame.items)
	end
	tree:add(FIELD[CAPTURE.kind], tvb(kind.at, kind.past - kind.at), frame.name)
	local words = {}
	for number, schema in ipairs(frame.items) do
		local node = root.items[number + 1]
		local told, wrong = show(schema, node, tvb, tree)
		if not told then
			return nil, frame.name .. ": " .. wrong
		end
		if schema.name == "x" then
			told = "x0=0x" .. (node.items[1].value:tohex():gsub("^0+(%x)", "%1"))
			if frame.calls then
				add_function(tree, node.items[1], tvb)
			end
			words[#words + 1] = told
		elseif number > 3 and told ~= "" and told ~= "()" then
			words[#words + 1] = schema.name == "op" and told or schema.name .. "=" .. told
		end
	end
	return frame, table.concat(words, " "), root.items
end

local function message(tvb, at, past, finish, root, tree, seen)
	local inner = tree:add(tvb(at, past - at), "Frame")
	local frame, words, nodes = envelope(tvb, at, past, inner)
	if not frame then
		inner:add_proto_expert_info(malformed, words)
		return (past - at) .. " bytes that are no frame (" .. words .. ")"
	end
	local request, cause = tostring(nodes[3].value), tostring(nodes[4].value)
	if not seen.visited and seen.event == CAPTURE.received then
		domains[seen.number] = seen.domain or nil
		link(frame, seen.node, seen.peer, request, seen.number, seen.at_ns)
		if frame.calls then
			follow(frame, cause, nodes[frame.calls].items[1].value:lower(), seen.number)
		end
	end
	local text = frame.name .. " " .. request .. (words ~= "" and " " .. words or "")
	inner:set_text("Frame: " .. text)
	if finish > past then
		text = text .. ": " .. dissect_page(tvb, past, finish, root, frame.is_reply)
	end
	return text
end

-- What a node said of itself, or the experiment.
local function note(tvb, at, past, tree)
	local root = unpack_at(tvb, at, past, 0)
	local items = root and root.kind == "array" and root.past == past and root.items or {}
	local inner = tree:add(tvb(at, past - at), "Note")
	local words = {}
	for number, schema in ipairs(NOTE.items) do
		local told, wrong
		if not items[number] then
			wrong = number > 2 and "" or "no note"
		elseif schema.name == "numbers" and items[number].kind == "array" then
			local names = NOTE.numbers[words[1]] or {}
			for place, value in ipairs(items[number].items) do
				local one = { kind = "int", name = names[place] or "number", f = NOTE.number, signed = true }
				local short, bad = show(one, value, tvb, inner)
				wrong = wrong or bad
				words[#words + 1] = short and one.name .. "=" .. short
				if one.name == "head" and value.number and value.number >= 0 then
					words[#words] = look_up(value.value:lower()).name
				end
			end
		else
			told, wrong = show(schema, items[number], tvb, inner)
			words[#words + 1] = told ~= "" and told or nil
		end
		if wrong and wrong ~= "" then
			inner:add_proto_expert_info(malformed, wrong)
			return "note, malformed"
		end
	end
	inner:set_text("Note: " .. table.concat(words, " "))
	return "note " .. table.concat(words, " ")
end

-- ---- packets -------------------------------------------------------------------------------------

local function description(tvb, pinfo, root)
	local tree = root:add(trapline, tvb(), "What the nodes were made of (run.json)")
	local past, words = walk(LAYOUTS[CAPTURE.description], tvb, 0, tvb:len(), tree)
	pinfo.cols.info = "run.json: " .. (past and words or "malformed")
	if past and past < tvb:len() then
		tree:add(FIELD[CAPTURE.json], tvb(past))
	else
		tree:add_proto_expert_info(malformed, "a part of the description is missing")
	end
end

local function names_of(tvb, at, count)
	return count > 0 and tvb(at, count):string() or ""
end

function trapline.dissector(tvb, pinfo, root)
	pinfo.cols.protocol = "Trapline"
	local size = CAPTURE.head_bytes
	if tvb:len() >= 4 and tvb(0, 4):le_uint() == CAPTURE.description_mark then
		return description(tvb, pinfo, root)
	end
	local tree = root:add(trapline, tvb())
	if tvb:len() < size or tvb(0, 2):le_uint() ~= CAPTURE.mark or tvb(CAPTURE.layout_at, 1):uint() ~= CAPTURE.layout then
		tree:add_proto_expert_info(malformed, "no packet of a Trapline capture that this dissector knows")
		pinfo.cols.info = "malformed"
		return
	end
	local head = tree:add(tvb(0, size), "Capture")
	walk(LAYOUTS[CAPTURE.head], tvb, 0, size, head)
	local at, ends = size, {}
	for number, place in ipairs(CAPTURE.lengths) do
		at = at + tvb(place[1], place[2]):le_uint()
		ends[number] = at
	end
	if at ~= tvb:len() then
		tree:add_proto_expert_info(malformed, string.format("%d bytes, its parts have %.0f", tvb:len(), at))
		pinfo.cols.info = "malformed: cut off"
		return
	end
	local seen = {
		node = names_of(tvb, size, ends[1] - size), peer = names_of(tvb, ends[1], ends[2] - ends[1]),
		event = tvb(CAPTURE.event_at, 1):uint(), number = pinfo.number, visited = pinfo.visited,
		at_ns = tvb(CAPTURE.at_ns_at, 8):le_int64():tonumber(),
	}
	local sent = seen.event == CAPTURE.undelivered or seen.event == CAPTURE.lost
	pinfo.cols.src = sent and seen.node or seen.peer
	pinfo.cols.dst = sent and seen.peer or seen.node
	tree:add(FIELD[CAPTURE.node], tvb(size, ends[1] - size))
	if ends[2] > ends[1] then
		tree:add(FIELD[CAPTURE.peer], tvb(ends[1], ends[2] - ends[1]))
	end
	seen.domain = (seen.node:find("#", 1, true) and seen.node) or (seen.peer:find("#", 1, true) and seen.peer)
	local what = VALUES[CAPTURE.events][seen.event] or "unknown event"
	head:set_text(string.format("Packet: %s by %s at %.9f s of the run", what, seen.node, seen.at_ns / 1e9))
	local text = what
	if seen.event == CAPTURE.note then
		text = note(tvb, ends[2], ends[3], tree)
	elseif ends[3] > ends[2] then
		text = message(tvb, ends[2], ends[3], ends[4], root, tree, seen)
		text = sent and what .. ": " .. text or text
	end
	if sent then
		tree:add_proto_expert_info(unreached, what .. (ends[3] > ends[2] and "" or ": the peer is gone"))
	end
	seen.domain = seen.domain or domains[pinfo.number]
	if seen.domain then
		tree:add(FIELD[CAPTURE.domain], seen.domain):set_generated()
	end
	add_links(tree, pinfo.number)
	tree:set_text("Trapline: " .. text)
	pinfo.cols.info = text
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, trapline)
