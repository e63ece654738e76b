# raftd: sessions, locks, transactions, and what it says of itself.
bats_require_minimum_version 1.5.0

load lib/raftd

setup() {
	raftd_setup
}

teardown() {
	raftd_teardown
}

# session [JSON]: create one, print its id.
session() {
	answer PUT /v1/session/create 200 -d "${1-}" | jq -r .ID
}

@test "a session has what it was given, and defaults" {
	start_raftd --name n1
	id=$(session)
	[[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
	[ "$(answer GET "/v1/session/info/$id" 200 |
	    jq -c '.[0] | [.ID, .Name, .Node, .LockDelay, .Behavior, .TTL, .NodeChecks]')" = \
	    "[\"$id\",\"\",\"n1\",15000000000,\"release\",\"\",[\"serfHealth\"]]" ]
	id=$(session '{"name":"x","ttl":"15s","behavior":"delete","lockdelay":"1s","checks":[]}')
	[ "$(answer GET "/v1/session/info/$id" 200 |
	    jq -c '.[0] | [.Name, .LockDelay, .Behavior, .TTL]')" = \
	    '["x",1000000000,"delete","15s"]' ]
	[ "$(answer GET /v1/session/list 200 | jq length)" = 2 ]
	[ "$(answer GET /v1/session/node/n1 200 | jq length)" = 2 ]
	[ "$(answer PUT "/v1/session/renew/$id" 200 | jq -r '.[0].ID')" = "$id" ]
	[ "$(answer PUT "/v1/session/destroy/$id" 200)" = true ]
	[ "$(answer PUT "/v1/session/destroy/$id" 200)" = true ]
	[ "$(answer GET "/v1/session/info/$id" 200)" = "[]" ]
	[ "$(answer PUT "/v1/session/renew/$id" 404)" = "Session id '$id' not found" ]
}

@test "what makes no session is refused in Consul's words" {
	start_raftd
	[ "$(answer PUT /v1/session/create 500 -d '{"TTL":"1s"}')" = \
	    "Invalid Session TTL '1000000000', must be between [10s=24h0m0s]" ]
	[ "$(answer PUT /v1/session/create 500 -d '{"Behavior":"x"}')" = \
	    "Invalid Behavior setting 'x'" ]
	[[ $(answer PUT /v1/session/create 400 -d '{') == "Request decode failed: "* ]]
	[ "$(answer PUT /v1/session/destroy/ 400)" = "Missing session" ]
	answer POST /v1/session/create 405
}

@test "a lock has one holder, a fencing number that rises, and ends with its session" {
	start_raftd
	a=$(session '{"LockDelay":"0s"}')
	b=$(session '{"LockDelay":"0s"}')
	[ "$(answer PUT "/v1/kv/l?acquire=$a" 200 -d a)" = true ]
	first=$(header X-Raftd-Fence)
	[ "$(answer PUT "/v1/kv/l?acquire=$b" 200 -d b)" = false ]
	[ "$(answer PUT "/v1/kv/l?acquire=$a" 200 -d again)" = true ]
	[ "$(header X-Raftd-Fence)" = "$first" ]
	[ "$(answer GET /v1/kv/l 200 | jq -c '.[0] | [.LockIndex, .Session, .Fence]')" = \
	    "[1,\"$a\",$first]" ]
	[ "$(answer PUT "/v1/kv/l?release=$b" 200)" = false ]
	answer PUT "/v1/session/destroy/$a" 200
	[ "$(answer GET /v1/kv/l 200 | jq -r '.[0].Session')" = null ]
	[ "$(answer PUT "/v1/kv/l?acquire=$b" 200)" = true ]
	second=$(header X-Raftd-Fence)
	[ "$second" -gt "$first" ]
	answer DELETE /v1/kv/l 200
	[ "$(answer PUT "/v1/kv/l?acquire=$b" 200)" = true ]
	[ "$(header X-Raftd-Fence)" -gt "$second" ]
	[ "$(answer PUT "/v1/kv/l?acquire=$a" 500)" = "invalid session \"$a\"" ]
}

@test "after a session has ended its lock cannot be had for the lock-delay, over a restart" {
	start_raftd --data d
	a=$(session '{"LockDelay":"60s"}')
	b=$(session)
	answer PUT "/v1/kv/l?acquire=$a" 200
	answer PUT "/v1/session/destroy/$a" 200
	[ "$(answer PUT "/v1/kv/l?acquire=$b" 200)" = false ]
	kill -9 "$raftd"
	wait "$raftd" || :
	start_raftd --data d
	[ "$(answer PUT "/v1/kv/l?acquire=$b" 200)" = false ]
	[ "$(answer PUT "/v1/kv/other?acquire=$b" 200)" = true ]
}

@test "a session that is not renewed ends at its TTL, and a query that waits is woken" {
	start_raftd --session-ttl-min 100ms
	a=$(session '{"TTL":"300ms","Behavior":"delete"}')
	answer PUT "/v1/kv/l?acquire=$a" 200 -d v
	answer GET /v1/kv/l 200
	index=$(header X-Consul-Index)
	answer GET "/v1/kv/l?index=$index&wait=60s" 404
	[ "$(answer GET /v1/session/list 200)" = "[]" ]
}

@test "a transaction is done as a whole or not at all" {
	start_raftd
	got=$(answer PUT /v1/txn 200 -d '[{"KV":{"Verb":"set","Key":"a","Value":"dg=="}},
	    {"KV":{"Verb":"get","Key":"a"}}]')
	[ "$(jq -c '[.Results[].KV.Value]' <<<"$got")" = '[null,"dg=="]' ]
	got=$(answer PUT /v1/txn 409 -d '[{"KV":{"Verb":"set","Key":"b","Value":""}},
	    {"KV":{"Verb":"cas","Key":"a","Value":"","Index":1}},{"KV":{"Verb":"get","Key":"z"}}]')
	[ "$(jq -c '[.Results, .Errors[].OpIndex]' <<<"$got")" = '[null,1,2]' ]
	[ "$(jq -r '.Errors[].What' <<<"$got")" = \
	    'failed to set key "a", index is stale'$'\n'"key \"z\" doesn't exist" ]
	answer GET /v1/kv/b 404
	[[ $(answer PUT /v1/txn 409 -d '[{"KV":{"Verb":"bad","Key":"a"}}]') == \
	    *'unknown KV verb \"bad\"'* ]]
	[[ $(answer PUT /v1/txn 400 -d 'x') == "Failed to parse body: "* ]]
	many=$(jq -nc '[range(129) | {KV: {Verb: "get-or-empty", Key: "a"}}]')
	[ "$(answer PUT /v1/txn 413 -d "$many")" = \
	    "Transaction contains too many operations (129 > 128)" ]
	answer PUT /v1/txn 200 -d '[{"KV":{"Verb":"get","Key":"a"}}]'
	[ "$(header X-Consul-KnownLeader)" = true ]
}

@test "a transaction that only reads is not logged" {
	start_raftd
	last() { answer GET /v1/operator/raft/configuration 200 | jq '.Servers[0].LastIndex'; }
	before=$(last)
	answer PUT /v1/txn 200 -d '[{"KV":{"Verb":"get-or-empty","Key":"a"}}]'
	[ "$(last)" = "$before" ]
	answer PUT /v1/kv/a 200 -d v
	[ "$(last)" -gt "$before" ]
}

@test "status, operator, agent and catalog tell of the one node" {
	start_raftd --name n1
	at=${url#http://}
	[ "$(answer GET /v1/status/leader 200)" = "\"$at\"" ]
	[ "$(answer GET /v1/status/peers 200)" = "[\"$at\"]" ]
	[ "$(answer GET /v1/operator/raft/configuration 200 |
	    jq -c '.Servers[0] | [.Node, .Address, .Leader, .Voter]')" = \
	    "[\"n1\",\"$at\",true,true]" ]
	[ "$(answer GET /v1/operator/autopilot/health 200 |
	    jq -c '[.Healthy, .FailureTolerance]')" = '[true,0]' ]
	[ "$(answer GET /v1/agent/self 200 | jq -c '.Config | [.NodeName, .SessionTTLMin]')" = \
	    '["n1",10000000000]' ]
	[ "$(answer GET /v1/agent/members 200 | jq -r '.[0].Name')" = n1 ]
	[ "$(answer GET /v1/catalog/nodes 200 | jq -r '.[0].Node')" = n1 ]
	[ "$(answer GET /v1/catalog/datacenters 200)" = '["dc1"]' ]
	[ -z "$(answer GET /v1/health/service/x 404)" ]
	answer PUT /v1/operator/raft/transfer-leader 404
	answer DELETE /v1/operator/raft/peer 400
}

@test "metrics are for Prometheus; healthz and readyz say ok" {
	start_raftd
	answer PUT /v1/kv/a 200 -d v
	answer GET /metrics 200 >metrics
	grep -q '^# TYPE raftd_waiting_watches gauge$' metrics
	# Each metric has a type before it, and no name comes twice without labels.
	awk '/^# TYPE/ { type[$3] = 1; next } /^#/ { next }
	    { name = $1; sub(/{.*/, "", name); sub(/_(bucket|sum|count)$/, "", name) }
	    !(name in type) { print "no type:", $1; bad = 1 }
	    seen[$1]++ { print "twice:", $1; bad = 1 }
	    END { exit bad }' metrics
	answer GET /healthz 200
	answer GET /readyz 200
	answer GET /v1/agent/metrics 200 | jq -e .Gauges >/dev/null
}
