# The state of an order, from its events.

def init: {placed: false, paid: false, cancelled: false, total: 0};

def evolve($e):
	if $e.type == "OrderPlaced" then .placed = true | .total = $e.data.total
	elif $e.type == "OrderPaid" then .paid = true
	elif $e.type == "OrderCancelled" then .cancelled = true
	else . end;
