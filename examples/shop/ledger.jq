# project: the balance of each account.
select(.type == "Booked")
| {upsert: "accounts", key: {name: .subject}, add: {cents: .data.cents, entries: 1}}
