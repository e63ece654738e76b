#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

#define LATE_MAX    (30 * SEC)
#define BACKLOG_MAX (100 * MS)

/* Exponential, near enough: the mean times -ln of a draw, by halvings. */
static uint64_t spread(struct world *w, uint64_t mean)
{
	uint64_t r = seeded_next(&w->rand);
	uint64_t halvings = (uint64_t)__builtin_clzll(r | 1);

	return mean == 0 ? 0 : mean * halvings * 7 / 10 + r % mean;
}

bool net_open(const struct world *w, uint32_t from, uint32_t to)
{
	const struct link *l = &w->net.links[from][to];

	if (l->cut)
		return false;
	return !l->flaps || w->net.flap_ns == 0 || w->now / w->net.flap_ns % 2 == 0;
}

void net_cut(struct world *w, uint32_t from, uint32_t to, bool cut)
{
	w->net.links[from][to].cut = cut;
}

void packet_drop(struct packet *p)
{
	if (--p->refs == 0)
		free(p);
}

static void deliver_at(struct world *w, struct packet *p, uint32_t to_place, uint64_t at)
{
	p->refs++;
	world_happen(w, at, (struct happening){.kind = HAPPEN_DELIVER, .slot = to_place, .p = p});
}

static uint64_t arrival(struct world *w, struct link *l, size_t len)
{
	uint64_t at = w->now + w->net.delay_ns + spread(w, w->net.spread_ns);

	if (l->bytes_per_s != 0) {
		uint64_t from = l->busy_until > w->now ? l->busy_until : w->now;

		l->busy_until = from + len * SEC / l->bytes_per_s;
		at += l->busy_until - w->now;
	}
	if (chance(w, w->net.reorder_ppm)) {
		if (at < l->last_at)
			w->cover.count[COVER_OVERTAKEN]++;
		return at;
	}
	if (at <= l->last_at)
		at = l->last_at + 1;
	l->last_at = at;
	return at;
}

void net_send(struct world *w, uint32_t from_place, uint64_t to, struct span bytes)
{
	int to_place = node_slot(w, to);
	struct packet *p;
	struct link *l;

	if (to_place < 0)
		return;
	if (!net_open(w, from_place, (uint32_t)to_place) || chance(w, w->net.lose_ppm)) {
		w->cover.count[COVER_LOST]++;
		return;
	}
	if (w->net.big != 0 && bytes.len > w->net.big && chance(w, w->net.big_ppm)) {
		w->cover.count[COVER_BIG_CUT]++;
		return;
	}
	p = malloc(sizeof(*p) + bytes.len);
	if (p == NULL)
		abort();
	*p = (struct packet){.from_place = from_place, .to = to, .len = bytes.len};
	memcpy(p->bytes, bytes.p, bytes.len);
	l = &w->net.links[from_place][to_place];
	deliver_at(w, p, (uint32_t)to_place, arrival(w, l, bytes.len));
	if (chance(w, w->net.double_ppm)) {
		w->cover.count[COVER_DOUBLED]++;
		deliver_at(w, p, (uint32_t)to_place, arrival(w, l, bytes.len));
	}
	if (chance(w, w->net.late_ppm)) {
		w->cover.count[COVER_LATE]++;
		deliver_at(w, p, (uint32_t)to_place, w->now + draw_range(w, 100 * MS, LATE_MAX));
	}
}

/* A backlog of many seconds is one of a connection that nobody would keep: no order holds for it.
 */
static void heal_link(const struct world *w, struct link *l)
{
	uint64_t last = l->last_at <= w->now + BACKLOG_MAX ? l->last_at : 0;

	*l = (struct link){.last_at = last};
}

void net_heal(struct world *w, uint64_t places)
{
	for (uint32_t from = 0; from < NET_PLACES; from++)
		for (uint32_t to = 0; to < NET_PLACES; to++)
			if ((places >> from & 1) != 0 && (places >> to & 1) != 0)
				heal_link(w, &w->net.links[from][to]);
}
