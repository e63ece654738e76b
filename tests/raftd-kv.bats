# What raftd answers at /v1/kv: texts and headers, word for word as Consul.
bats_require_minimum_version 1.5.0

load lib/raftd

setup() {
	raftd_setup
	start_raftd
}

teardown() {
	raftd_teardown
}

# put KEY VALUE: both as they are in a request.
put() { [ "$(answer PUT "/v1/kv/$1" 200 --data-raw "$2")" = true ]; }

# raw KEY: its value.
raw() { answer GET "/v1/kv/$1?raw" 200; }

# modified KEY, locked KEY: its ModifyIndex, its LockIndex.
modified() { answer GET "/v1/kv/$1" 200 | jq '.[0].ModifyIndex'; }
locked() { answer GET "/v1/kv/$1" 200 | jq '.[0].LockIndex'; }

# names PATH: the keys of a list of entries.
names() { answer GET "$1" 200 | jq -r '.[].Key' | paste -sd ' '; }

# holder KEY: its session, or null.
holder() { answer GET "/v1/kv/$1" 200 | jq -r '.[0].Session'; }

# session [LOCK-DELAY]: a new one.
session() {
	answer PUT /v1/session/create 200 -d "{\"LockDelay\":\"${1-0s}\"}" | jq -r .ID
}

# says STATUS TEXT METHOD PATH [CURL-ARGUMENT...]: a plain text, to the byte.
says() {
	local status=$1 text=$2 method=$3 path=$4
	shift 4
	answer "$method" "$path" "$status" "$@" >/dev/null
	printf '%s' "$text" | cmp - body
	[ "$(header Content-Type)" = 'text/plain; charset=utf-8' ]
}

# --- GET ---

@test "a key is a list of one entry, with the headers of a read" {
	put zip test
	index=$(modified zip)
	put later x # the index is the key's own, not that of the store
	answer GET /v1/kv/zip 200
	text='[{"LockIndex":0,"Key":"zip","Flags":0,"Value":"dGVzdA==",'
	text+='"CreateIndex":@,"ModifyIndex":@}]'
	printf %s "${text//@/$index}" | cmp - body
	[ "$(header Content-Type)" = application/json ]
	[ "$(header X-Consul-Index)" = "$index" ]
	[ "$(header X-Consul-KnownLeader)" = true ]
	[ "$(header X-Consul-LastContact)" = 0 ]
	[ "$(header X-Consul-Effective-Consistency)" = leader ]
}

@test "a key that is absent is 404, without a body, with the headers of a read" {
	put other x
	run -0 answer GET /v1/kv/zip 404
	[ -z "$output" ]
	[ "$(header Content-Length)" = 0 ]
	[ "$(header X-Consul-Index)" = "$(modified other)" ]
	answer GET /v1/kv/zip 404
	[ "$(header X-Consul-KnownLeader)" = true ]
	[ "$(header X-Consul-LastContact)" = 0 ]
	[ "$(header X-Consul-Effective-Consistency)" = leader ]
}

@test "the index of an empty store is not 0" {
	answer GET /v1/kv/zip 404
	[ "$(header X-Consul-Index)" -ge 1 ]
	answer GET '/v1/kv/?keys' 200
	[ "$(header X-Consul-Index)" -ge 1 ]
}

@test "no key is 400" {
	says 400 'Missing key name' GET /v1/kv/
	says 400 'Missing key name' GET /v1/kv
	says 400 'Missing key name' GET '/v1/kv/?raw'
	says 400 'Missing key name' PUT /v1/kv/ -d x
	says 400 'Missing key name' DELETE /v1/kv/
}

@test "?raw is the value itself, and nothing that a browser would run" {
	head -c 1000 /dev/urandom >value
	answer PUT /v1/kv/bin 200 --data-binary @value
	answer GET '/v1/kv/bin?raw' 200 >/dev/null
	cmp value body
	[ "$(header Content-Type)" = text/plain ]
	[ "$(header X-Content-Type-Options)" = nosniff ]
	[ "$(header Content-Security-Policy)" = sandbox ]
	[ "$(header Content-Length)" = 1000 ]
	[ "$(header X-Consul-Index)" = "$(modified bin)" ]
	answer GET '/v1/kv/none?raw' 404
	# With recurse it counts for nothing.
	[ "$(answer GET '/v1/kv/bin?raw&recurse' 200 | jq -r '.[0].Key')" = bin ]
}

@test "an empty value is null, and raw it is nothing" {
	answer PUT /v1/kv/empty 200
	[ "$(answer GET /v1/kv/empty 200 | jq -c '.[0].Value')" = null ]
	answer GET '/v1/kv/empty?raw' 200
	[ "$(header Content-Length)" = 0 ]
}

@test "?recurse is every key that begins so, in the order of bytes" {
	for k in b a/2 a/1 a a/1/x ab; do put "$k" "$k"; done
	[ "$(names '/v1/kv/a?recurse')" = 'a a/1 a/1/x a/2 ab' ]
	[ "$(names '/v1/kv/a/?recurse')" = 'a/1 a/1/x a/2' ]
	[ "$(answer GET '/v1/kv/?recurse' 200 | jq length)" = 6 ]
	[ "$(answer GET '/v1/kv/?recurse' 200 | jq -r '.[1].Value' | base64 -d)" = a/1 ]
	for flag in recurse recurse= recurse=1 recurse=false '&recurse' 'x&&recurse&'; do
		[ "$(answer GET "/v1/kv/a/?$flag" 200 | jq length)" = 3 ]
	done
	run -0 answer GET '/v1/kv/none?recurse' 404
	[ -z "$output" ]
	answer DELETE '/v1/kv/?recurse' 200
	answer GET '/v1/kv/?recurse' 404
}

@test "?keys is their names, cut behind the first separator that follows the prefix" {
	for k in a a/b a/b/c a/d/e a/d/f b/x; do put "$k" x; done
	[ "$(answer GET '/v1/kv/?keys' 200)" = '["a","a/b","a/b/c","a/d/e","a/d/f","b/x"]' ]
	[ "$(answer GET '/v1/kv/?keys=True' 200 | jq length)" = 6 ]
	[ "$(answer GET '/v1/kv/?keys&separator=/' 200)" = '["a","a/","b/"]' ]
	[ "$(answer GET '/v1/kv/a/?keys=true&separator=%2F' 200)" = '["a/b","a/b/","a/d/"]' ]
	[ "$(answer GET '/v1/kv/a/?keys&seperator=/' 200)" = '["a/b","a/b/","a/d/"]' ]
	[ "$(answer GET '/v1/kv/a/?keys&seperator=b&separator=/' 200)" = '["a/b","a/b/","a/d/"]' ]
	[ "$(answer GET '/v1/kv/a/?keys&separator=' 200)" = '["a/b","a/b/c","a/d/e","a/d/f"]' ]
	[ "$(answer GET '/v1/kv/a/?keys&recurse&raw&separator=d/' 200)" = '["a/b","a/b/c","a/d/"]' ]
	run -0 answer GET '/v1/kv/none?keys' 404
	[ -z "$output" ]
	answer DELETE '/v1/kv/?recurse' 200
	[ "$(answer GET '/v1/kv/?keys' 200)" = '[]' ]
}

@test "the index of a prefix is the last write or deletion under it" {
	put a/1 x
	put a/2 x
	put b x
	answer GET '/v1/kv/a/?recurse' 200
	before=$(header X-Consul-Index)
	[ "$before" = "$(modified a/2)" ]
	answer DELETE /v1/kv/a/1 200
	answer GET '/v1/kv/a/?recurse' 200
	[ "$(header X-Consul-Index)" -gt "$before" ]
	answer GET '/v1/kv/a/?keys' 200
	deleted=$(header X-Consul-Index)
	[ "$deleted" -gt "$(modified b)" ]
	# Under another prefix nothing has happened; of the empty one it is the last write of all.
	answer GET '/v1/kv/b?recurse' 200
	[ "$(header X-Consul-Index)" = "$(modified b)" ]
	answer GET '/v1/kv/?recurse' 200
	[ "$(header X-Consul-Index)" = "$deleted" ]
	# The last one is gone: the index does not go back.
	answer DELETE /v1/kv/a/2 200
	answer GET '/v1/kv/a/?recurse' 404
	[ "$(header X-Consul-Index)" -gt "$deleted" ]
	answer GET '/v1/kv/none/?recurse' 404
	[ "$(header X-Consul-Index)" -gt "$deleted" ]
}

@test "?pretty has four spaces a level and a line end" {
	put zip test
	index=$(modified zip)
	answer GET '/v1/kv/zip?pretty' 200 >/dev/null
	cmp body - <<-END
	[
	    {
	        "LockIndex": 0,
	        "Key": "zip",
	        "Flags": 0,
	        "Value": "dGVzdA==",
	        "CreateIndex": $index,
	        "ModifyIndex": $index
	    }
	]
	END
	answer PUT '/v1/kv/zip?pretty' 200 -d x >/dev/null
	printf 'true\n' | cmp - body
}

@test "consistency is what was asked for" {
	put k v
	for mode in leader= consistent stale max_stale=10s; do
		answer GET "/v1/kv/k?$mode" 200
		want=${mode%%=*}
		[ "$(header X-Consul-Effective-Consistency)" = "${want/max_/}" ]
		[ "$(header X-Consul-LastContact)" = 0 ]
		[ "$(header X-Consul-KnownLeader)" = true ]
	done
	says 400 'Cannot specify ?stale with ?consistent, conflicting semantics.' \
	    GET '/v1/kv/k?stale&consistent'
	says 400 'Invalid max_stale value "x"' GET '/v1/kv/k?max_stale=x'
}

@test "HEAD is GET without its body" {
	put k 12345
	http GET /v1/kv/k >/dev/null
	length=$(header Content-Length)
	http HEAD /v1/kv/k -I >/dev/null
	[ "$(<status)" = 200 ]
	[ "$(header Content-Length)" = "$length" ]
	[ "$(header X-Consul-Index)" = "$(modified k)" ]
	http HEAD /v1/kv/none -I >/dev/null
	[ "$(<status)" = 404 ]
	[ -n "$(header X-Consul-Index)" ]
}

# --- PUT ---

@test "a write creates, then updates; flags are 64 bits" {
	answer PUT '/v1/kv/k?flags=18446744073709551615' 200 -d a
	created=$(modified k)
	[[ $(answer GET /v1/kv/k 200) == *'"Flags":18446744073709551615,'* ]]
	answer PUT '/v1/kv/k?flags=3304740253564472344' 200 -d b
	[[ $(answer GET /v1/kv/k 200) == *'"Flags":3304740253564472344,'* ]]
	[ "$(answer GET /v1/kv/k 200 | jq '.[0].CreateIndex')" = "$created" ]
	[ "$(modified k)" -gt "$created" ]
	put k c
	[ "$(answer GET /v1/kv/k 200 | jq '.[0].Flags')" = 0 ]
}

@test "a write that changes nothing is none: the index stays" {
	answer PUT '/v1/kv/k?flags=7' 200 -d a
	index=$(modified k)
	[ "$(answer PUT '/v1/kv/k?flags=7' 200 -d a)" = true ]
	[ "$(modified k)" = "$index" ]
	[ "$(answer PUT "/v1/kv/k?flags=7&cas=$index" 200 -d a)" = true ]
	[ "$(modified k)" = "$index" ]
	answer PUT '/v1/kv/k?flags=8' 200 -d a
	[ "$(modified k)" -gt "$index" ]
}

@test "cas=0 is for a key that is absent, cas=N for one of that index" {
	[ "$(answer PUT '/v1/kv/k?cas=5' 200 -d a)" = false ]
	answer GET /v1/kv/k 404
	[ "$(answer PUT '/v1/kv/k?cas=0' 200 -d a)" = true ]
	[ "$(answer PUT '/v1/kv/k?cas=0' 200 -d b)" = false ]
	index=$(modified k)
	[ "$(answer PUT "/v1/kv/k?cas=$((index + 1))" 200 -d b)" = false ]
	[ "$(raw k)" = a ]
	[ "$(answer PUT "/v1/kv/k?cas=$index&flags=3" 200 -d b)" = true ]
	[ "$(raw k)" = b ]
	[ "$(answer PUT "/v1/kv/k?cas=$index" 200 -d c)" = false ]
	[ "$(raw k)" = b ]
}

@test "flags and cas that are no numbers are 500, in the words of Go" {
	says 500 'strconv.ParseUint: parsing "x": invalid syntax' PUT '/v1/kv/k?flags=x'
	says 500 'strconv.ParseUint: parsing "": invalid syntax' PUT '/v1/kv/k?cas'
	says 500 'strconv.ParseUint: parsing "-1": invalid syntax' PUT '/v1/kv/k?cas=-1'
	says 500 'strconv.ParseUint: parsing "18446744073709551616": value out of range' \
	    PUT '/v1/kv/k?flags=18446744073709551616'
	says 500 'strconv.ParseUint: parsing "a\"b": invalid syntax' DELETE '/v1/kv/k?cas=a%22b'
	answer GET /v1/kv/k 404
}

@test "two of cas, acquire and release are 400" {
	says 400 $'Conflicting flags: acquire=b&cas=1\n' PUT '/v1/kv/k?cas=1&acquire=b'
	says 400 $'Conflicting flags: acquire=&flags=2&release=\n' \
	    PUT '/v1/kv/k?release&flags=2&acquire'
	says 400 $'Conflicting flags: cas=0&recurse=\n' DELETE '/v1/kv/k?recurse&cas=0'
}

@test "acquire: who holds it may again, another may not; each gets a fence number" {
	a=$(session)
	b=$(session)
	[ "$(answer PUT "/v1/kv/k?acquire=$a" 200 -d 1)" = true ]
	fence=$(header X-Raftd-Fence)
	[ "$fence" = "$(modified k)" ]
	[ "$(holder k)" = "$a" ]
	[ "$(answer GET /v1/kv/k 200 | jq '.[0].Fence')" = "$fence" ]
	[ "$(locked k)" = 1 ]

	[ "$(answer PUT "/v1/kv/k?acquire=$b" 200 -d 2)" = false ]
	[ -z "$(header X-Raftd-Fence)" ]
	[ "$(raw k)" = 1 ]

	# Again by the same session: no new lock, another value.
	[ "$(answer PUT "/v1/kv/k?acquire=$a&flags=9" 200 -d 3)" = true ]
	[ "$(header X-Raftd-Fence)" = "$fence" ]
	[ "$(locked k)" = 1 ]
	[ "$(raw k)" = 3 ]

	# The id in capitals is the same session.
	[ "$(answer PUT "/v1/kv/k?release=${a^^}" 200 -d 4)" = true ]
	[ "$(answer PUT "/v1/kv/k?acquire=$b" 200 -d 5)" = true ]
	[ "$(header X-Raftd-Fence)" -gt "$fence" ]
	[ "$(locked k)" = 2 ]
}

@test "the fence number rises, also over a key that was deleted" {
	a=$(session)
	answer PUT "/v1/kv/k?acquire=$a" 200
	fence=$(header X-Raftd-Fence)
	answer DELETE /v1/kv/k 200
	answer PUT "/v1/kv/k?acquire=$a" 200
	[ "$(header X-Raftd-Fence)" -gt "$fence" ]
	[ "$(locked k)" = 1 ]
}

@test "acquire without a session, or with none that there is, is 500" {
	says 500 'missing session' PUT '/v1/kv/k?acquire'
	says 500 'missing session' PUT '/v1/kv/k?acquire=' -d x
	says 500 'invalid session "bad"' PUT '/v1/kv/k?acquire=bad'
	says 500 'invalid session "9e2a5a4c-0d3b-4d4c-8a4e-0a1f5e0b7c11"' \
	    PUT '/v1/kv/k?acquire=9e2a5a4c-0d3b-4d4c-8a4e-0a1f5e0b7c11'
	says 500 'missing session' PUT '/v1/kv/k?release'
	answer GET /v1/kv/k 404
}

@test "release: by its holder alone, with the value and flags of the request" {
	a=$(session)
	b=$(session)
	[ "$(answer PUT "/v1/kv/k?release=$a" 200)" = false ]
	answer GET /v1/kv/k 404
	answer PUT "/v1/kv/k?acquire=$a&flags=5" 200 -d 1
	[ "$(answer PUT "/v1/kv/k?release=$b" 200 -d 2)" = false ]
	[ "$(holder k)" = "$a" ]
	[ "$(answer PUT "/v1/kv/k?release=$a" 200)" = true ]
	[ "$(holder k)" = null ]
	[ "$(locked k)" = 1 ]
	[ "$(answer GET /v1/kv/k 200 | jq -c '.[0] | [.Value, .Flags]')" = '[null,0]' ]
	[ "$(answer PUT "/v1/kv/k?release=$a" 200 -d 3)" = false ]
}

@test "locks are advisory: a plain write works on a locked key and leaves its lock" {
	a=$(session)
	answer PUT "/v1/kv/k?acquire=$a" 200 -d 1
	put k 2
	[ "$(raw k)" = 2 ]
	[ "$(holder k)" = "$a" ]
	[ "$(locked k)" = 1 ]
	[ "$(answer PUT "/v1/kv/k?cas=$(modified k)" 200 -d 3)" = true ]
	[ "$(locked k)" = 1 ]
	[ "$(holder k)" = "$a" ]
	[ "$(answer DELETE /v1/kv/k 200)" = true ]
	answer GET /v1/kv/k 404
}

@test "after its session the key is free, and for the lock-delay not to be had" {
	a=$(session 0s)
	b=$(session 15s)
	answer PUT "/v1/kv/now?acquire=$a" 200 -d 1
	answer PUT "/v1/kv/later?acquire=$b" 200 -d 1
	answer PUT "/v1/session/destroy/$a" 200
	answer PUT "/v1/session/destroy/$b" 200
	[ "$(holder now)" = null ]
	[ "$(holder later)" = null ]
	c=$(session)
	[ "$(answer PUT "/v1/kv/now?acquire=$c" 200 -d 2)" = true ]
	[ "$(answer PUT "/v1/kv/later?acquire=$c" 200 -d 2)" = false ]
	put later 3
	[ "$(raw later)" = 3 ]
}

@test "a value of 512 KiB is taken, one more byte is 413" {
	head -c 524288 /dev/urandom >value
	[ "$(answer PUT /v1/kv/k 200 --data-binary @value)" = true ]
	answer GET '/v1/kv/k?raw' 200 >/dev/null
	cmp value body
	answer GET /v1/kv/k 200 | jq -r '.[0].Value' | base64 -d | cmp - value
	printf x >>value
	says 413 'Request body(524289 bytes) too large, max size: 524288 bytes. See raftd(8).' \
	    PUT /v1/kv/big --data-binary @value
	answer GET /v1/kv/big 404
	head -c 5000000 /dev/zero >value
	http PUT /v1/kv/big --data-binary @value >/dev/null || :
	[ "$(<status)" = 413 ]
	answer GET /v1/kv/big 404
}

@test "a body may be chunked, asked for first, or not there" {
	head -c 100000 /dev/urandom >value
	answer PUT /v1/kv/chunked 200 -H 'Transfer-Encoding: chunked' --data-binary @value
	answer GET '/v1/kv/chunked?raw' 200 >/dev/null
	cmp value body
	answer PUT /v1/kv/asked 200 -H 'Expect: 100-continue' --data-binary @value
	answer GET '/v1/kv/asked?raw' 200 >/dev/null
	cmp value body
	[ "$(answer PUT /v1/kv/none 200)" = true ]
	[ "$(answer PUT /v1/kv/zero 200 -H 'Content-Length: 0')" = true ]
	[ "$(answer GET '/v1/kv/none?raw' 200)" = "" ]
}

@test "a write with an Idempotency-Key is done once" {
	[ "$(answer PUT '/v1/kv/k?cas=0' 200 -d a -H 'Idempotency-Key: one')" = true ]
	[ "$(answer PUT '/v1/kv/k?cas=0' 200 -d a -H 'Idempotency-Key: one')" = true ]
	[ "$(answer PUT '/v1/kv/k?cas=0' 200 -d a -H 'Idempotency-Key: two')" = false ]
	[ "$(answer PUT '/v1/kv/k?cas=0' 200 -d a)" = false ]
	put k b
	answer PUT '/v1/kv/k?cas=0' 200 -d a -H 'Idempotency-Key: one'
	[ "$(raw k)" = b ]
	says 422 'this Idempotency-Key was used for another request' \
	    PUT /v1/kv/k -d c -H 'Idempotency-Key: one'
	[ "$(raw k)" = b ]
	a=$(session)
	answer PUT "/v1/kv/l?acquire=$a" 200 -H 'Idempotency-Key: lock'
	fence=$(header X-Raftd-Fence)
	answer PUT "/v1/kv/l?acquire=$a" 200 -H 'Idempotency-Key: lock'
	[ "$(header X-Raftd-Fence)" = "$fence" ]
}

# --- DELETE ---

@test "a deletion is true, also of what is absent" {
	put k v
	[ "$(answer DELETE /v1/kv/k 200)" = true ]
	answer GET /v1/kv/k 404
	[ "$(answer DELETE /v1/kv/k 200)" = true ]
	for k in a a/1 a/2 ab b; do put "$k" x; done
	[ "$(answer DELETE '/v1/kv/a/?recurse' 200)" = true ]
	[ "$(answer GET '/v1/kv/?keys' 200)" = '["a","ab","b"]' ]
	[ "$(answer DELETE '/v1/kv/none?recurse' 200)" = true ]
	[ "$(answer DELETE '/v1/kv/?recurse=1' 200)" = true ]
	[ "$(answer GET '/v1/kv/?keys' 200)" = '[]' ]
}

@test "a deletion with cas is for that index; what is absent is deleted" {
	[ "$(answer DELETE '/v1/kv/k?cas=5' 200)" = true ]
	put k v
	[ "$(answer DELETE '/v1/kv/k?cas=0' 200)" = false ]
	[ "$(answer DELETE "/v1/kv/k?cas=$(($(modified k) + 1))" 200)" = false ]
	[ "$(raw k)" = v ]
	[ "$(answer DELETE "/v1/kv/k?cas=$(modified k)" 200)" = true ]
	answer GET /v1/kv/k 404
}

# --- methods and paths ---

@test "another method is 405, OPTIONS tells the ones there are" {
	says 405 'method PATCH not allowed' PATCH /v1/kv/k
	[ "$(header Allow)" = OPTIONS,HEAD,GET,PUT,DELETE ]
	says 405 'method POST not allowed' POST /v1/kv/k -d x
	run -0 answer OPTIONS /v1/kv/k 200
	[ -z "$output" ]
	[ "$(header Allow)" = OPTIONS,HEAD,GET,PUT,DELETE ]
}

@test "the root says who it is, an unknown path is 404 without a body" {
	says 200 'Consul Agent' GET /
	says 405 'method PUT not allowed' PUT / -d x
	for path in /v1 /v1/ /v1/nope /v1/kvs/a /v2/kv/a /nope /v1/KV/a //v1/kv/a; do
		run -0 answer GET "$path" 404
		[ -z "$output" ]
	done
}

@test "there is one datacenter" {
	put k v
	answer GET '/v1/kv/k?dc=dc1' 200
	answer GET '/v1/kv/k?dc=' 200
	says 500 'No path to datacenter' GET '/v1/kv/k?dc=mars'
	says 500 'No path to datacenter' PUT '/v1/kv/k?dc=mars' -d x
	[ "$(raw k)" = v ]
}
