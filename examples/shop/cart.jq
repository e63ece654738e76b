# The state of a cart, from its events. Prices are in cents.

def init: {open: true, items: {}, total: 0};

def evolve($e):
	if $e.type == "ItemAdded" then
		$e.data as $d
		| .items[$d.sku] = {qty: ((.items[$d.sku].qty // 0) + $d.qty), price: $d.price}
		| .total = .total + $d.qty * $d.price
	elif $e.type == "ItemRemoved" then
		.total = .total - .items[$e.data.sku].qty * .items[$e.data.sku].price
		| del(.items[$e.data.sku])
	elif $e.type == "CheckedOut" then
		.open = false
	else
		.
	end;
