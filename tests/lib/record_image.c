/* record_image: which images, and the walk through them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "record_model.h"
#include "tmp_dir.h"

#define SHM_FREE_MIN ((uint64_t)64 << 20)
#define MAPPED_KINDS 3

/* One crash point: the state of the model before the event with this index. */
struct point {
	size_t event;
	size_t crash;
	size_t variants; /* how many images there could be */
	size_t wanted;   /* how many are checked, unless they are equal to others */
};

struct walk {
	struct record_io *r;
	const struct record_options *o;
	record_check *check;
	void *arg;
	struct point *points;
	size_t n_points;
	char *tmp;
	const char **marks;
	uint64_t *seen; /* a hash table of what was checked; 0 is an empty place */
	size_t n_places;
	long n_images;
};

bool record_image_marked(const struct record_image *im, const char *mark)
{
	for (size_t i = 0; i < im->n_marks; i++)
		if (strcmp(im->marks[i], mark) == 0)
			return true;
	return false;
}

size_t record_image_count(const struct record_image *im, const char *prefix)
{
	size_t n = 0;

	for (size_t i = 0; i < im->n_marks; i++)
		n += strncmp(im->marks[i], prefix, strlen(prefix)) == 0;
	return n;
}

/* --- the plan --- */

static size_t count_variants(const struct walk *w, const struct model *m)
{
	size_t mixes = model_is_dirty(m) ? 2 + w->o->mixes : 1;

	return mixes * (model_has_mapped(m) ? MAPPED_KINDS : 1);
}

static void add_point(struct walk *w, const struct model *m, size_t event, size_t crash)
{
	if (w->o->only_crash != SIZE_MAX && w->o->only_crash != crash)
		return;
	w->points = record_grow(w->points, w->n_points, sizeof(*w->points));
	w->points[w->n_points++] =
	    (struct point){.event = event, .crash = crash, .variants = count_variants(w, m)};
}

static void find_points(struct walk *w)
{
	const struct record_io *r = w->r;
	struct model *m = model_new(r);
	size_t crash = 0;

	for (size_t i = 0; i < r->n_events; i++) {
		if (r->events[i].call)
			add_point(w, m, i, crash++);
		model_step(m, i);
	}
	add_point(w, m, r->n_events, crash);
	model_free(m);
}

static size_t total_of(const struct walk *w, size_t quota)
{
	size_t sum = 0;

	for (size_t i = 0; i < w->n_points; i++)
		sum += w->points[i].variants < quota ? w->points[i].variants : quota;
	return sum;
}

/* The same quota for all points that can use it; the rest one by one, evenly spread. */
static void share_out(struct walk *w)
{
	size_t quota = 0;
	size_t left;
	size_t hungry = 0;
	size_t k = 0;

	while (total_of(w, quota + 1) <= w->o->max_images &&
	       total_of(w, quota + 1) > total_of(w, quota))
		quota++;
	left = w->o->max_images - total_of(w, quota);
	for (size_t i = 0; i < w->n_points; i++)
		hungry += w->points[i].variants > quota;
	for (size_t i = 0; i < w->n_points; i++) {
		struct point *p = &w->points[i];

		p->wanted = p->variants < quota ? p->variants : quota;
		if (p->variants <= quota)
			continue;
		if (left >= hungry || (k + 1) * left / hungry > k * left / hungry)
			p->wanted++;
		k++;
	}
}

/* --- one image --- */

static const char *mapped_text(enum record_mapped mapped)
{
	static const char *const texts[MAPPED_KINDS] = {"kept", "old", "zeroed"};

	return texts[mapped];
}

static void name_image(const struct walk *w, const struct point *p, const struct model_choice *c,
                       size_t mix, bool has_mapped, char name[PATH_MAX])
{
	const char *after = "the start";
	char how[32] = "all lost";
	char mapped[32] = "";

	for (size_t i = p->event; i-- > 0;)
		if (w->r->events[i].call) {
			after = w->r->events[i].what;
			break;
		}
	if (c->mix == RECORD_KEPT)
		snprintf(how, sizeof(how), "all kept");
	else if (c->mix == RECORD_RANDOM)
		snprintf(how, sizeof(how), "mix %zu", mix);
	if (has_mapped)
		snprintf(mapped, sizeof(mapped), ", mapped %s", mapped_text(c->mapped));
	snprintf(name, PATH_MAX, "crash %zu of %zu after %.3000s: %s%s, seed %llu", p->crash,
	         w->r->n_calls, after, how, mapped, (unsigned long long)w->o->seed);
}

/* Whether these bytes and promises are new. */
static bool is_new(struct walk *w, uint64_t hash)
{
	size_t at = hash % w->n_places;

	if (hash == 0)
		return true;
	while (w->seen[at] != 0 && w->seen[at] != hash)
		at = (at + 1) % w->n_places;
	if (w->seen[at] == hash)
		return false;
	w->seen[at] = hash;
	return true;
}

/* Leave a fresh copy of the image, as the check may have changed it, and tell where. */
static int report(struct walk *w, const struct tree *t, const char *name, const char *dir,
                  struct err *e)
{
	struct err why = *e;
	struct err trouble;

	if (tmp_dir_remove(dir, &trouble) < 0 || tree_write(t, w->r, dir, &trouble) < 0)
		return err_set(e, why.code, "%s: %s (no copy of the image: %s)", name, why.msg,
		               trouble.msg);
	free(w->tmp);
	w->tmp = NULL;
	return err_set(e, why.code, "%s: %s (the image is kept in %s)", name, why.msg, dir);
}

static int check_tree(struct walk *w, const struct point *p, const struct tree *t,
                      const struct model_choice *c, size_t mix, struct err *e)
{
	char dir[PATH_MAX];
	char name[PATH_MAX];
	struct record_image im = {
	    .dir = dir,
	    .name = name,
	    .marks = w->marks,
	    .crash = p->crash,
	    .mix = c->mix,
	    .mapped = t->has_mapped ? c->mapped : RECORD_MAPPED_KEPT,
	    .seed = w->o->seed,
	};

	while (im.n_marks < w->r->n_marks && w->r->marks[im.n_marks].events <= p->event)
		im.n_marks++;
	if (!is_new(w, record_hash(&im.n_marks, sizeof(im.n_marks), t->hash)))
		return 0;
	snprintf(dir, sizeof(dir), "%s/image", w->tmp);
	name_image(w, p, c, mix, t->has_mapped, name);
	if (tree_write(t, w->r, dir, e) < 0)
		return err_wrap(e, "build an image");
	*e = (struct err){.code = EIO, .msg = "the check gave no reason"};
	if (w->check(&im, w->arg, e) != 0)
		return report(w, t, name, dir, e);
	w->n_images++;
	return tmp_dir_remove(dir, e);
}

static int check_variant(struct walk *w, struct model *m, const struct point *p, size_t variant,
                         struct err *e)
{
	size_t kinds = model_has_mapped(m) ? MAPPED_KINDS : 1;
	size_t mix = variant / kinds;
	size_t key[2] = {p->crash, mix};
	struct model_choice c = {
	    .mix = mix == 0   ? RECORD_LOST
	           : mix == 1 ? RECORD_KEPT
	                      : RECORD_RANDOM,
	    .seed = record_hash(key, sizeof(key), w->o->seed),
	    .any_order = w->o->any_order,
	    .mapped = (enum record_mapped)(variant % kinds),
	};
	struct tree t;
	int result = 0;

	tree_build(&t, m, w->r, &c);
	/* Without a mapped file in it, the three kinds of an image are one. */
	if (t.has_mapped || c.mapped == RECORD_MAPPED_KEPT)
		result = check_tree(w, p, &t, &c, mix - 1, e);
	tree_done(&t);
	return result;
}

/* --- the walk --- */

/* Choose p->wanted of the point's variants, all of them in order when they all are wanted. */
static int check_point(struct walk *w, struct model *m, const struct point *p, struct err *e)
{
	size_t *variants = record_alloc(p->variants * sizeof(*variants));
	uint64_t rand = record_hash(&p->crash, sizeof(p->crash), w->o->seed);
	int result = 0;

	for (size_t i = 0; i < p->variants; i++)
		variants[i] = i;
	for (size_t i = 0; result == 0 && i < p->wanted; i++) {
		size_t pick = i;

		if (p->wanted < p->variants)
			pick += record_rand(&rand) % (p->variants - i);
		result = check_variant(w, m, p, variants[pick], e);
		variants[pick] = variants[i];
	}
	free(variants);
	return result;
}

static int check_points(struct walk *w, struct err *e)
{
	struct model *m = model_new(w->r);
	size_t event = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < w->n_points; i++) {
		while (event < w->points[i].event)
			model_step(m, event++);
		result = check_point(w, m, &w->points[i], e);
	}
	model_free(m);
	return result;
}

/* The record's last state is what is there now: if not, calls went around the table. */
static int check_record(struct record_io *r, struct err *e)
{
	const struct model_choice now = {.mix = RECORD_KEPT};
	struct model *m;
	struct tree t;
	int result;

	if (r->bad.code != 0) {
		*e = r->bad;
		return -1;
	}
	m = model_new(r);
	for (size_t i = 0; i < r->n_events; i++)
		model_step(m, i);
	tree_build(&t, m, r, &now);
	result = tree_compare(&t, r, e);
	tree_done(&t);
	model_free(m);
	return result;
}

static const char *choose_tmp(const struct record_options *o)
{
	const char *tmp = getenv("TMPDIR");
	struct statvfs fs;

	if (o->tmp != NULL)
		return o->tmp;
	if (access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize >= SHM_FREE_MIN)
		return "/dev/shm";
	return tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp";
}

static int prepare(struct walk *w, struct err *e)
{
	char path[PATH_MAX];
	size_t total = 0;

	snprintf(path, sizeof(path), "%s/shoal-record-XXXXXX", choose_tmp(w->o));
	if (mkdtemp(path) == NULL)
		return err_sys(e, "make directory '%s'", path);
	w->tmp = record_text(path);
	for (size_t i = 0; i < w->n_points; i++)
		total += w->points[i].wanted;
	w->n_places = 2 * total + 1;
	w->seen = record_alloc(w->n_places * sizeof(*w->seen));
	w->marks = record_alloc(w->r->n_marks * sizeof(*w->marks));
	for (size_t i = 0; i < w->r->n_marks; i++)
		w->marks[i] = w->r->marks[i].text;
	return 0;
}

long record_io_images(struct record_io *r, const struct record_options *o, record_check *check,
                      void *arg, struct err *e)
{
	struct walk w = {.r = r, .o = o, .check = check, .arg = arg};
	struct err trouble;
	int result;

	record_scan_mapped(r);
	r->busy = true;
	result = check_record(r, e);
	if (result == 0) {
		find_points(&w);
		share_out(&w);
		result = prepare(&w, e);
	}
	if (result == 0)
		result = check_points(&w, e);
	if (w.tmp != NULL)
		(void)tmp_dir_remove(w.tmp, &trouble);
	r->busy = false;
	free(w.tmp);
	free(w.points);
	free((void *)w.marks);
	free(w.seen);
	return result < 0 ? -1 : w.n_images;
}
