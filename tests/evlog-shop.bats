# examples/shop: its given/when/then tests hold, and a day in it comes out right.

load lib/evlog

setup() {
	evlog_setup
	export EVLOG_STORE=$PWD/day/store # where run.sh makes one
	shop=$BATS_TEST_DIRNAME/../examples/shop
}

@test "the examples of cart and order hold" {
	run -0 evlog test "$shop/cart.spec.jsonl"
	[ "$(grep -c '^ok ' <<<"$output")" -eq 9 ]
	run -0 evlog test "$shop/order.spec.jsonl"
	[ "$(grep -c '^ok ' <<<"$output")" -eq 5 ]
}

@test "a day in the shop: two carts, two orders, one payment, a ledger that balances" {
	run -0 --separate-stderr "$shop/run.sh" day
	[[ $stderr == *"the cart is closed"* ]]
	[ "${lines[-3]}" = "order-1|1800|paid" ]
	[ "${lines[-2]}" = "order-2|1800|placed" ]
	# Given twice with one id, a command counts once; and so does what follows from it.
	[ "$(jq .cents day/ledger/accounts/*.json | paste -sd +)" = "1800+-1800" ]
	[ "$(evlog version cart-1)" = 2 ]
	[ "$(evlog read 'order-*' -t OrderPlaced -o data | wc -l)" -eq 2 ]
	evlog cursor lag place-orders --max 20
	evlog verify --deep
}

@test "what the shop's read models say is what a rebuild says" {
	"$shop/run.sh" day >/dev/null 2>&1
	sqlite3 day/shop.db .dump | grep -i 'insert into orders' >before
	evlog project orders -j "$shop/orders.jq" --schema "$shop/orders.sql" \
	    --into sqlite:day/shop.db --rebuild
	sqlite3 day/shop.db .dump | grep -i 'insert into orders' | diff before -
}
