#!/bin/sh
# One day in the shop: carts, orders, payments, a ledger, and two read models. Needs evlog and jq in
# PATH; everything is made in the directory $1, which must not exist.
set -eu
shop=$(cd "$(dirname "$0")" && pwd)
mkdir "${1?usage: run.sh DIR}"
models=$(cd "$1" && pwd)
export EVLOG_STORE="$models/store"
cd "$shop"

# Two customers, three commands each. A command that is repeated with its id does nothing twice.
tea='{"sku":"tea","qty":2,"price":450}'
cup='{"sku":"cup","qty":1,"price":900}'
for n in 1 2; do
	evlog handle "cart-$n" -e cart.jq -i "web-$n-a" -- ./add-item "$tea"
	evlog handle "cart-$n" -e cart.jq -i "web-$n-b" -- ./add-item "$cup"
	evlog handle "cart-$n" -e cart.jq -i "web-$n-b" -- ./add-item "$cup"
	evlog handle "cart-$n" -e cart.jq -- ./checkout
done

# A rule that says no: the cart is closed, exit 13.
if evlog handle cart-1 -e cart.jq -- ./add-item "$tea"; then
	exit 1
elif [ $? -ne 13 ]; then
	exit 1
fi

# What follows from it, as cron would do it, as often as it likes.
for _ in 1 2; do
	evlog consume place-orders 'cart-*' -- ./place-orders
done
evlog handle order-1 -e order.jq -i bank-77 -- ./pay '{"amount":1800}'
for _ in 1 2; do
	evlog consume book 'order-*' -- ./book
done

# Read models, and a read that waits for what was just written.
evlog project orders 'order-*' -j orders.jq --schema orders.sql --into "sqlite:$models/shop.db"
evlog project ledger 'ledger-*' -j ledger.jq --into "file:$models/ledger"
evlog query orders order-1 --min-seq "$(evlog head)"
sqlite3 -readonly "$models/shop.db" 'SELECT id, total, state FROM orders ORDER BY id'
evlog query ledger accounts/ledger-cash
