# Keys of raftd are bytes: whatever a client can encode.
bats_require_minimum_version 1.5.0

load lib/raftd

setup() {
	raftd_setup
	start_raftd
}

teardown() {
	raftd_teardown
}

# same PATH KEY-AS-JSON: what is written there is a key of that name, and read there again.
same() {
	[ "$(answer PUT "/v1/kv/$1" 200 -d "value of $1" --path-as-is)" = true ]
	[ "$(answer GET '/v1/kv/?keys' 200)" = "[$2]" ]
	[ "$(answer GET "/v1/kv/$1?raw" 200 --path-as-is)" = "value of $1" ]
	[ "$(answer DELETE "/v1/kv/$1" 200 --path-as-is)" = true ]
}

@test "a key is decoded once and not cleaned" {
	same 'a%20b%2F%C3%BC' '"a b/ü"'
	same 'a%3Fb%23c' '"a?b#c"'
	same '100%25' '"100%"'
	same '%2525' '"%25"'
	same 'a+b' '"a+b"'
	same 'a+%2B%20b' '"a++ b"'
	same 'a//b/' '"a//b/"'
	same '/a' '"/a"'
	same 'a/../b/./c' '"a/../b/./c"'
	same '%00' '"\u0000"'
	same 'a%00b%0a%22%5C' '"a\u0000b\n\"\\"'
	same 'a:b@c;d=e,f&g' '"a:b@c;d=e,f&g"'
	same '%e2%82%ac' '"€"'
}

@test "a key that is no UTF-8 is shown as good as JSON can, and exactly in base64" {
	answer PUT /v1/kv/%FF%00 200 -d v
	[ "$(answer GET '/v1/kv/?keys' 200)" = '["�\u0000"]' ]
	[ "$(answer GET '/v1/kv/?keys&base64' 200)" = '["/wA="]' ]
	[ "$(answer GET /v1/kv/%ff%00 200 | jq -r '.[0].KeyBase64')" = /wA= ]
	[ "$(answer GET '/v1/kv/%FF%00?raw' 200)" = v ]
	answer GET '/v1/kv/%FF' 404
	[ "$(answer GET '/v1/kv/%FF?recurse' 200 | jq length)" = 1 ]
	[ "$(answer DELETE '/v1/kv/%FF?recurse' 200)" = true ]
	answer GET '/v1/kv/%FF%00' 404
}

@test "an escape that is none is 400, and writes nothing" {
	for path in %zz a%2 a% %2gb; do
		answer PUT "/v1/kv/$path" 400 -d x
		answer GET "/v1/kv/$path" 400
		answer DELETE "/v1/kv/$path" 400
	done
	[ "$(answer GET '/v1/kv/?keys' 200)" = '[]' ]
	answer PUT '/v1/kv/k?cas=%zz' 400 -d x
	answer GET '/v1/kv/?keys&separator=%2' 400
	answer GET /v1/kv/k 404
}

@test "a key has up to 4096 bytes" {
	key=$(printf '%04096d' 0)
	[ "$(answer PUT "/v1/kv/$key" 200 -d v)" = true ]
	[ "$(answer GET "/v1/kv/$key?raw" 200)" = v ]
	text='Key is too long (4097 > 4096 bytes)'
	for method in GET PUT DELETE; do
		[ "$(answer "$method" "/v1/kv/${key}0" 400)" = "$text" ]
	done
	[ "$(answer GET "/v1/kv/${key}0?recurse" 400)" = "$text" ]
	# Encoded it is three times as long.
	[ "$(answer PUT "/v1/kv/${key//0/%FF}" 200 -d w)" = true ]
	[ "$(answer GET "/v1/kv/${key//0/%ff}?raw" 200)" = w ]
}

@test "in a query a plus is a space, and of two parameters the first one counts" {
	answer PUT '/v1/kv/a%20b%20c' 200 -d x
	[ "$(answer GET '/v1/kv/a?keys&separator=+' 200)" = '["a "]' ]
	[ "$(answer GET '/v1/kv/a?keys&separator=%2B' 200)" = '["a b c"]' ]
	[ "$(answer GET '/v1/kv/a?keys&separator=b&separator=+' 200)" = '["a b"]' ]
	answer PUT '/v1/kv/k?flags=1&flags=2' 200 -d x
	[ "$(answer GET /v1/kv/k 200 | jq '.[0].Flags')" = 1 ]
	[ "$(answer PUT '/v1/kv/k?cas=0&cas=18446744073709551615' 200 -d y)" = false ]
	# A name is decoded, too.
	[ "$(answer GET '/v1/kv/a?k%65ys' 200)" = '["a b c"]' ]
}
