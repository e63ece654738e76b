# project: a row for each order.
if .type == "OrderPlaced" then
	{upsert: "orders", key: {id: .subject}, set: {total: .data.total, state: "placed"}}
elif .type == "OrderPaid" then
	{upsert: "orders", key: {id: .subject}, set: {state: "paid", paid_at: .time}}
elif .type == "OrderCancelled" then
	{upsert: "orders", key: {id: .subject}, set: {state: "cancelled"}}
else
	empty
end
